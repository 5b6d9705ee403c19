// SPDX-License-Identifier: BSD-2-Clause
#pragma once

// How frames come in over verbs: included by verbs_link.hpp.
#include "protocol/checksum.hpp"
#include "transports/verbs/verbs_link.hpp"

#include <cstring>

namespace rdsco::detail {

template <verbs_fabric Fabric>
bool verbs_link<Fabric>::receive() noexcept {
  if (stopping_ || broken_ || request_ || stage_ == stage::ended) return false;
  if (!take_kept_frames() || !take_completions() || !post_receives(false)) return false;
  if (!active_ && !queue_.armed()) {
    active_ = true;
    loop_.add_spinner(*this);
  }
  return true;
}

template <verbs_fabric Fabric>
bool verbs_link<Fabric>::take_completions() noexcept {
  // One actor's share of a turn.
  constexpr int batches_max = 16;
  for (int batch = 0; batch < batches_max; ++batch) {
    if (!look()) return !broken_;
    bool const all = found_ < completions_.size();
    while (taken_ < found_)
      if (!take(completions_[taken_++])) return false;
    if (!post_receives(false)) return false;
    // What comes next is looked for before anybody sleeps.
    if (all) return true;
  }
  signal_.raise_next_turn(event_completions);
  return true;
}

// True where there is a completion that was not taken.
template <verbs_fabric Fabric>
bool verbs_link<Fabric>::look() noexcept {
  if (taken_ < found_) return true;
  taken_ = found_ = 0;
  int const count = queue_.poll(completions_);
  if (count < 0) broken_ = true;
  if (count > 0) found_ = static_cast<std::size_t>(count);
  return count > 0;
}

// What arrived before the connection ended counts, and acknowledgements most of all: a peer that is gone says nothing twice.
template <verbs_fabric Fabric>
void verbs_link<Fabric>::take_remaining() noexcept {
  while (!broken_ && look()) static_cast<void>(take(completions_[taken_++]));
}

template <verbs_fabric Fabric>
bool verbs_link<Fabric>::take(ibv_wc const& one) noexcept {
  if (one.status != IBV_WC_SUCCESS) {
    // The first says what happened; those behind it are flushed.
    if (failure_ == IBV_WC_SUCCESS) {
      failure_ = one.status;
      vendor_error_ = one.vendor_err;
    }
    if (!receive_ring::is_receive(one.wr_id)) request_failed(one.wr_id, one.status);
    return false;
  }
  if ((one.opcode & IBV_WC_RECV) == 0) {
    sends_.completed(one.wr_id);
    requests_done();
    return true;
  }
  heard_ = true;
  if ((one.wc_flags & IBV_WC_WITH_INV) != 0) keys_.ended_by_peer(by_, one.invalidated_rkey);
  std::uint32_t const slot = receive_ring::slot_of(one.wr_id);
  receives_.arrived(slot);
  if constexpr (can.credits) {
    // Every frame counts, read or not. A header that is short or damaged ends the connection when it is looked at.
    credits_.arrived(std::to_integer<std::uint32_t>(receives_.frame(slot, protocol::header_bytes)[protocol::offset::credit]));
  }
  // Behind a frame that is no RDS nothing is believed.
  broken_ = broken_ || !take_arrived(slot, one.byte_len);
  return !broken_;
}

template <verbs_fabric Fabric>
bool verbs_link<Fabric>::take_arrived(std::uint32_t slot, std::uint32_t bytes) noexcept {
  if (!receives_.anything_kept() && by_.may_read()) return take_frame(slot, bytes);
  return take_early(slot, bytes);
}

template <verbs_fabric Fabric>
bool verbs_link<Fabric>::take_kept_frames() noexcept {
  while (receives_.anything_kept() && by_.may_read()) {
    auto const oldest = receives_.take_kept();
    broken_ = !take_frame(oldest.slot, oldest.bytes);
    if (broken_) return false;
  }
  return true;
}

// While its messages have to wait, what the peer says of ours does not; and a frame that says nothing else takes no slot from them.
template <verbs_fabric Fabric>
bool verbs_link<Fabric>::take_early(std::uint32_t slot, std::uint32_t bytes) noexcept {
  auto const frame = receives_.frame(slot, bytes);
  protocol::header head;
  bool const readable = bytes >= protocol::header_bytes && protocol::checksum_ok(frame.template first<protocol::header_bytes>());
  if (readable) head = protocol::decode(frame.template first<protocol::header_bytes>());
  if (head.ack != 0 && !by_.lane.acknowledged(head.ack, by_.node.counted.rdsco_retired_by_ack)) {
    ++by_.node.counted.rdsco_ack_future;
    return false;
  }
  bool const nothing_else = bytes == protocol::header_bytes && head.source_port == 0 && head.destination_port == 0 && head.length == 0;
  if (!readable || !nothing_else) {
    receives_.keep(slot, bytes);  // judged when it is taken
    return true;
  }
  receives_.give_back(slot);
  return post_receives(true);
}

template <verbs_fabric Fabric>
bool verbs_link<Fabric>::take_frame(std::uint32_t slot, std::uint32_t bytes) noexcept {
  auto const frame = receives_.frame(slot, bytes);
  auto const limit = static_cast<std::uint32_t>(std::min<std::size_t>(by_.node.options.limits.message_bytes, ~std::uint32_t{0}));
  auto const verdict = assembly_.admit(frame, limit);
  bool fine = !protocol::must_reset(verdict);
  if (!fine) {
    count_violation(verdict);
  } else if (verdict == protocol::fragment_verdict::ack_only) {
    fine = intake_.whole(assembly_.last(), {});
  } else {
    fine = part_of_message(verdict, frame.subspan(protocol::header_bytes));
  }
  receives_.give_back(slot);
  return fine;
}

template <verbs_fabric Fabric>
bool verbs_link<Fabric>::part_of_message(protocol::fragment_verdict verdict, std::span<std::byte const> payload) noexcept {
  if (assembly_.offset() == 0) {
    incoming_ = intake_.begin(assembly_.first());
    if (intake_.refused()) {
      ++by_.node.counted.rdsco_drop_memory;
      return false;
    }
  }
  if (incoming_ != nullptr && !payload.empty()) std::memcpy(incoming_->storage() + assembly_.offset(), payload.data(), payload.size());
  if (verdict != protocol::fragment_verdict::complete) return true;
  return intake_.finish(assembly_.first(), std::exchange(incoming_, nullptr));
}

template <verbs_fabric Fabric>
void verbs_link<Fabric>::count_violation(protocol::fragment_verdict verdict) noexcept {
  auto& counted = by_.node.counted;
  switch (verdict) {
    case protocol::fragment_verdict::bad_checksum: ++counted.recv_drop_bad_checksum; break;
    case protocol::fragment_verdict::too_long: ++counted.rdsco_drop_too_large; break;
    default: ++counted.rdsco_drop_bad_frame; break;
  }
}

template <verbs_fabric Fabric>
bool verbs_link<Fabric>::post_receives(bool all) noexcept {
  if (!all && !receives_.worth_posting()) return true;
  int const count = receives_.post(pair_);
  if constexpr (can.credits) credits_.posted(static_cast<std::uint32_t>(std::max(count, 0)));
  return count >= 0;
}

template <verbs_fabric Fabric>
bool verbs_link<Fabric>::spin() noexcept {
  if (found_ != taken_) return false;
  if (!look() && !broken_) return false;
  stop_asking();
  signal_.raise(event_completions);
  return true;
}

template <verbs_fabric Fabric>
void verbs_link<Fabric>::stop_asking() noexcept {
  if (std::exchange(active_, false)) loop_.remove_spinner(*this);
}

// What arrived before the queue was armed makes no event.
template <verbs_fabric Fabric>
void verbs_link<Fabric>::before_wait() noexcept {
  stop_asking();
  if (queue_.arm() != 0) broken_ = true;
  if (broken_ || found_ != taken_) return signal_.raise(event_completions);
  static_cast<void>(spin());
}

}  // namespace rdsco::detail
