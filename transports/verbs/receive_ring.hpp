// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "transports/verbs/frame_slots.hpp"
#include "verbs/poison.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace rdsco::detail {

/// Posted receives of one connection. What arrived is looked at in its slot, then the slot is posted again, many in one call.
class receive_ring {
 public:
  explicit receive_ring(verbs::api& calls) noexcept : api_(calls), slots_(calls) {}

  /// Of the requests of a connection, receives are told from others by their numbers: a completion that failed says nothing else for sure.
  [[nodiscard]] static bool is_receive(std::uint64_t number) noexcept { return (number & receive_mark) != 0; }
  [[nodiscard]] static std::uint32_t slot_of(std::uint64_t number) noexcept { return static_cast<std::uint32_t>(number); }

  /// 0 or -errno. Every slot is to be posted.
  [[nodiscard]] int open(ibv_pd* domain, std::uint32_t count);
  void close() noexcept;

  /// Posts every slot that is not posted. How many that were, or -errno.
  [[nodiscard]] int post(ibv_qp* pair) noexcept;
  /// The adapter is done with this slot.
  void arrived(std::uint32_t slot) noexcept { verbs::unpoison(slots_.at(slot), frame_slots::frame_bytes_max); }
  [[nodiscard]] std::span<std::byte const> frame(std::uint32_t slot, std::uint32_t bytes) const noexcept { return {slots_.at(slot), bytes}; }
  /// The frame was looked at.
  void give_back(std::uint32_t slot) noexcept { free_.push_back(slot); }
  /// The frame is looked at later.
  struct kept_frame {
    std::uint32_t slot = 0, bytes = 0;
  };
  void keep(std::uint32_t slot, std::uint32_t bytes) noexcept { kept_[(first_kept_ + kept_count_++) % kept_.size()] = {slot, bytes}; }
  [[nodiscard]] bool anything_kept() const noexcept { return kept_count_ != 0; }
  [[nodiscard]] kept_frame take_kept() noexcept {
    --kept_count_;
    return kept_[first_kept_++ % kept_.size()];
  }
  /// So many lie free that posting them is worth a call.
  [[nodiscard]] bool worth_posting() const noexcept { return free_.size() * 4 >= slots_.count(); }
  [[nodiscard]] std::uint32_t count() const noexcept { return slots_.count(); }

 private:
  static constexpr std::uint64_t receive_mark = std::uint64_t{1} << 63;

  verbs::api& api_;
  frame_slots slots_;
  std::vector<std::uint32_t> free_;  // capacity for all: pushing allocates nothing
  std::vector<kept_frame> kept_;     // a ring with a place for each slot
  std::size_t first_kept_ = 0, kept_count_ = 0;
  std::vector<ibv_recv_wr> requests_;
  std::vector<ibv_sge> elements_;
};

}  // namespace rdsco::detail
