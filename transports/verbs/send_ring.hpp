// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "protocol/header.hpp"
#include "transports/verbs/frame_slots.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace rdsco::detail {

/// Requests of one connection: frames are built in registered slots, and collected with operations on remote memory and whatever else there
/// is, and posted many in one call. Each takes a slot; slots come free in order.
class send_ring {
 public:
  explicit send_ring(verbs::api& calls) noexcept : api_(calls), slots_(calls) {}

  /// 0 or -errno.
  [[nodiscard]] int open(ibv_pd* domain, std::uint32_t count);
  void close() noexcept { slots_.close(); }

  /// Slots that may be filled. One more is kept for an acknowledgement: it must not wait for a peer that waits for it.
  [[nodiscard]] std::uint32_t room() const noexcept {
    if (held()) return 0;
    auto const used = static_cast<std::uint32_t>(put_ - done_);
    return used + 1 < slots_.count() ? slots_.count() - 1 - used : 0;
  }
  [[nodiscard]] bool room_for_acknowledgement() const noexcept { return !held() && put_ - done_ < slots_.count(); }
  /// There is no room behind the request put last before it has completed.
  void hold_behind_last() noexcept { held_until_ = put_; }

  /// Room for `payload` bytes behind a header, which is sealed and collected by finish().
  [[nodiscard]] std::span<std::byte> begin(std::size_t payload) noexcept;
  /// `announced`: the receiver is to be woken for it. `fenced`: it waits for reads and atomics before it.
  void finish(protocol::header const& head, bool announced, bool fenced = false) noexcept;
  /// The frame put last takes a key of its receiver away.
  void last_invalidates(std::uint32_t key) noexcept {
    requests_[collected_ - 1].opcode = IBV_WR_SEND_WITH_INV;
    requests_[collected_ - 1].invalidate_rkey = key;
  }
  /// A request that is no frame, to be filled in, with one element. `told`: of its completion by itself.
  [[nodiscard]] ibv_send_wr& put_request(bool told) noexcept;
  /// The memory of that request's slot, its own until it completes.
  [[nodiscard]] std::byte* memory_of(std::uint64_t number) const noexcept {
    return slots_.at(static_cast<std::uint32_t>(number % slots_.count()));
  }
  /// An element of that memory.
  [[nodiscard]] ibv_sge element_of(std::uint64_t number, std::size_t bytes) const noexcept {
    return slots_.element(static_cast<std::uint32_t>(number % slots_.count()), bytes);
  }
  /// Hands what was collected to the adapter. 0 or -errno.
  [[nodiscard]] int post(ibv_qp* pair) noexcept;
  /// The request of this number has completed, and with it all before it.
  void completed(std::uint64_t number) noexcept { done_ = number + 1; }

  /// The number of the request that is put next.
  [[nodiscard]] std::uint64_t next() const noexcept { return put_; }
  /// Every request below this number has completed.
  [[nodiscard]] std::uint64_t done() const noexcept { return done_; }
  [[nodiscard]] bool idle() const noexcept { return put_ == done_; }

 private:
  [[nodiscard]] ibv_send_wr& collect() noexcept;
  [[nodiscard]] bool held() const noexcept { return done_ < held_until_; }

  // An adapter keeps what it did without telling until it tells of something behind it.
  static constexpr std::uint32_t told_every = 16;

  verbs::api& api_;
  frame_slots slots_;
  std::vector<ibv_send_wr> requests_;
  std::vector<ibv_sge> elements_;
  std::uint32_t collected_ = 0;
  std::uint64_t put_ = 0;   // requests ever, which are numbered so
  std::uint64_t done_ = 0;  // of these, completed
  std::uint64_t held_until_ = 0;  // so many have
  std::size_t payload_ = 0;
};

}  // namespace rdsco::detail
