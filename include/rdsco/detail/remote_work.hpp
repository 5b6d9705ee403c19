// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/detail/intrusive_list.hpp>
#include <rdsco/fwd.hpp>
#include <rdsco/remote_memory.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <system_error>

namespace rdsco::detail {

struct by_adapter;  // remote work whose memory an adapter uses, in the order of its requests

enum class remote_operation : std::uint8_t { write, read, fetch_add, compare_swap };

[[nodiscard]] constexpr bool is_atomic(remote_operation what) noexcept { return what >= remote_operation::fetch_add; }
/// It brings something back, which may lie in memory only after a later message has left.
[[nodiscard]] constexpr bool brings_back(remote_operation what) noexcept { return what != remote_operation::write; }

/// A remote operation, which stands before its datagram. It lies with whoever awaits it, and stays until no adapter uses its memory.
struct remote_work : list_hook<by_adapter> {
  remote_operation what = remote_operation::write;
  std::uint32_t key = 0;
  std::uint32_t epoch = 0;    // of the connection that the key is good for
  bool ends_key = false;      // the send behind it invalidates the key
  std::uint64_t address = 0;  // where the peer's memory begins
  std::span<region_slice const> local;
  std::uint64_t operand = 0;  // fetch_add: what is added. compare_swap: what is stored
  std::uint64_t compare = 0;
  std::uint64_t result = 0;

  /// Why it failed, where its adapter said so.
  errc failure{};

  // --- for whoever carries it out --------------------------------------------------------------------------------
  std::size_t slice = 0;     // which is next, and from where
  std::size_t slice_at = 0;
  std::uint64_t done = 0;    // bytes handed to the adapter
  bool handed_over = false;  // everything
  bool on_adapter = false;   // requests of it are under way
  std::uint64_t first_request = 0, last_request = 0;
  /// The adapter has let go of the memory.
  void (*let_go)(remote_work&) noexcept = nullptr;

  [[nodiscard]] bool uses(region_core const& region) const noexcept {
    for (region_slice const& each : local)
      if (each.core() == &region) return true;
    return false;
  }
  [[nodiscard]] std::uint64_t bytes() const noexcept {
    std::uint64_t total = 0;
    for (region_slice const& each : local) total += each.size();
    return is_atomic(what) ? sizeof result : total;
  }
};

/// What a datagram takes along, beside its payload.
struct accompaniment {
  offer_core* offered = nullptr;
  remote_work* work = nullptr;
  bool silent = false;
};

}  // namespace rdsco::detail
