// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/node_options.hpp>

#include <infiniband/verbs.h>

#include <algorithm>
#include <cstdint>
#include <optional>

namespace rdsco::detail {

/// How many receives and sends a connection has: as many as were asked for, as far as the adapter can, and never so few that
/// nothing could move.
struct ring_sizes {
  /// A congestion map is two fragments, and one slot is kept for an acknowledgement.
  static constexpr std::uint32_t sends_min = 3;

  std::uint32_t receives = 0;
  std::uint32_t sends = 0;

  friend bool operator==(ring_sizes const&, ring_sizes const&) = default;

  /// Nothing: the adapter cannot even do the least.
  [[nodiscard]] static std::optional<ring_sizes> of(verbs_options const& wanted, std::uint32_t receives_min, ibv_device_attr const& can) noexcept {
    auto const requests = static_cast<std::uint32_t>(std::max(can.max_qp_wr, 0));
    auto const completions = static_cast<std::uint32_t>(std::max(can.max_cqe, 0));
    if (requests < std::max(receives_min, sends_min) || completions < receives_min + sends_min) return std::nullopt;
    ring_sizes made;
    made.receives = std::clamp(wanted.receives, receives_min, requests);
    made.sends = std::clamp(wanted.sends, sends_min, requests);
    std::uint64_t const both = std::uint64_t{made.receives} + made.sends;
    if (both <= completions) return made;
    // One queue has the completions of both: each gives up its share.
    auto const share = static_cast<std::uint32_t>(std::uint64_t{made.receives} * completions / both);
    made.receives = std::clamp(share, receives_min, completions - sends_min);
    made.sends = std::min(made.sends, completions - made.receives);
    return made;
  }
};

}  // namespace rdsco::detail
