// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "loop/socket_address.hpp"

#include <rdsco/detail/io_backend.hpp>

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <deque>

namespace rdsco::detail {

enum class slot_kind : std::uint8_t { accept, connect, send, receive_into, receive_lent, wait_ready, watch };

/// Where the slot's operation is. Each change of state is the only place that may end it.
enum class slot_state : std::uint8_t {
  free,
  deferred,   ///< waits for room in the submission queue
  submitted,  ///< the kernel has it
  starved,    ///< waits for a lent buffer to come back
  ended,      ///< ended without the kernel; completes with the next reaping
};

/// The kernel's side of one operation under way. The kernel's completion names the slot and its generation, so a late one
/// cannot reach the operation that has the slot by then.
struct ring_slot {
  static constexpr std::size_t parts_max = 16;  // of one submission; the rest waits for the next

  io_operation* operation = nullptr;
  int descriptor = -1;
  unsigned poll_mask = 0;
  std::int32_t result = 0;  // while ended
  std::uint32_t generation = 0;
  std::uint32_t next_free = 0;
  slot_kind kind{};
  slot_state state = slot_state::free;
  bool cancel_requested = false;
  stream_tuning tuning;
  socket_address peer;
  msghdr message{};
  std::array<iovec, parts_max> parts{};
};

class ring_slots {
 public:
  ring_slot& acquire(io_operation& operation, slot_kind kind, int descriptor) noexcept;
  void release(ring_slot& slot) noexcept;
  /// nullptr: the operation that was meant has ended.
  [[nodiscard]] ring_slot* find(std::uint32_t index, std::uint32_t generation) noexcept;
  [[nodiscard]] ring_slot& of(io_operation const& operation) noexcept { return slots_[operation.slot.index]; }
  [[nodiscard]] std::size_t in_use() const noexcept { return in_use_; }

 private:
  static constexpr std::uint32_t none = ~std::uint32_t{0};
  std::deque<ring_slot> slots_;  // addresses stay: the kernel reads messages in them
  std::uint32_t first_free_ = none;
  std::size_t in_use_ = 0;
};

/// The 64 bits that come back with a completion: a slot, or one of the backend's own purposes.
enum class ring_purpose : std::uint32_t { slot = 0, cancel = 1, wake = 2, deadline = 3 };

struct ring_tag {
  static constexpr std::uint32_t nobody = 0x3fff'ffffU;  // an index no slot has

  std::uint32_t index;  // 30 bits
  std::uint32_t generation;
  ring_purpose purpose;

  ring_tag(std::uint32_t at, std::uint32_t number, ring_purpose what) noexcept : index(at), generation(number), purpose(what) {}
  explicit ring_tag(std::uint64_t bits) noexcept
      : index(static_cast<std::uint32_t>(bits) & nobody),
        generation(static_cast<std::uint32_t>(bits >> 32)),
        purpose(static_cast<ring_purpose>(static_cast<std::uint32_t>(bits) >> 30)) {}
  [[nodiscard]] std::uint64_t bits() const noexcept {
    return std::uint64_t{generation} << 32 | std::uint64_t{static_cast<std::uint32_t>(purpose)} << 30 | index;
  }
};

}  // namespace rdsco::detail
