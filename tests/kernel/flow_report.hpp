// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "kernel/flow_check.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

/// The account of a flow as a line for test drivers, the same from the programs of both sides.
namespace rdsco::kernel_lab {

namespace detail {

inline constexpr std::size_t evidence_entries = 32;

/// The first entries of a list: enough to see where a fault lies, bounded when everything is lost.
template <typename Entry>
std::vector<Entry> evidence(std::vector<Entry> const& entries) {
  auto const count = std::min(entries.size(), evidence_entries);
  return {entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(count)};
}

}  // namespace detail

inline nlohmann::json describe(std::string const& source, flow_log const& log, flow_log::account const& account) {
  auto corrupt = nlohmann::json::array();
  for (auto const& one : detail::evidence(account.corrupt)) {
    corrupt.push_back({{"index", one.index}, {"size", one.size}, {"offset", one.offset}});
  }
  return {{"source", source},
          {"flow", log.flow() ? nlohmann::json(*log.flow()) : nlohmann::json()},
          {"received", account.received},
          {"bytes", account.bytes},
          {"lost", account.lost_count},
          {"lost_ranges", detail::evidence(account.lost)},
          {"duplicated", account.duplicated.size()},
          {"duplicated_indices", detail::evidence(account.duplicated)},
          {"reordered", account.reordered.size()},
          {"reordered_indices", detail::evidence(account.reordered)},
          {"unexpected", account.unexpected.size()},
          {"unexpected_indices", detail::evidence(account.unexpected)},
          {"corrupt", account.corrupt.size()},
          {"corrupt_datagrams", corrupt}};
}

}  // namespace rdsco::kernel_lab
