// SPDX-License-Identifier: BSD-2-Clause
#pragma once

// How datagrams leave over verbs: included by verbs_link.hpp.
#include "node/datagram_header.hpp"
#include "transports/verbs/verbs_link.hpp"

#include <cstring>

namespace rdsco::detail {

/// The bytes of a gather list from `at` on, as many as there is room for.
inline void copy_from(std::span<const_buffer const> parts, std::size_t at, std::span<std::byte> to) noexcept {
  for (const_buffer part : parts) {
    std::size_t const skipped = std::min(at, part.size());
    at -= skipped;
    std::size_t const count = std::min(part.size() - skipped, to.size());
    if (count != 0) std::memcpy(to.data(), part.data() + skipped, count);
    to = to.subspan(count);
    if (to.empty()) return;
  }
}

template <verbs_fabric Fabric>
bool verbs_link<Fabric>::transmit() noexcept {
  if (broken_ || stopping_ || stage_ == stage::ended) return false;
  if constexpr (can.initiator_speaks_first) {
    if (!connected_by_us_ && !heard_) return true;
  }
  fill();
  path& lane = by_.lane;
  bool const time_is_up = acknowledge_by_ && loop_.now() >= *acknowledge_by_;
  if (acknowledgement_due(time_is_up) && room_for_acknowledgement()) put_acknowledgement();
  if (time_is_up) acknowledge_by_.reset();
  if (sends_.post(pair_) != 0) return false;
  if (!lane.has_unsent() && sending_ == nullptr && !lane.map_due && !broken_) signal_.settle(event_work);
  plan();
  return true;
}

// Messages that may leave: as many as there are slots for, and as the peer has receives for.
template <verbs_fabric Fabric>
std::uint32_t verbs_link<Fabric>::room() const noexcept {
  if constexpr (can.credits) return std::min(sends_.room(), credits_.for_messages());
  return sends_.room();
}

template <verbs_fabric Fabric>
bool verbs_link<Fabric>::room_for_acknowledgement() noexcept {
  if constexpr (can.credits) {
    // With the last credit something must be told.
    if (!credits_.for_acknowledgement() && !post_receives(true)) break_off();
    if (!credits_.for_acknowledgement()) return false;
  }
  return sends_.room_for_acknowledgement();
}

template <verbs_fabric Fabric>
bool verbs_link<Fabric>::acknowledgement_due(bool time_is_up) const noexcept {
  if constexpr (can.credits) {
    if (credits_.worth_telling()) return true;
  }
  path const& lane = by_.lane;
  return lane.owes_acknowledgement() && acknowledgement() != 0 && (lane.owes_acknowledgement_now() || time_is_up);
}

template <verbs_fabric Fabric>
void verbs_link<Fabric>::finish(protocol::header& head, bool announced, bool fenced) noexcept {
  if constexpr (can.credits) head.credit = credits_.spend();
  sends_.finish(head, can.solicited_events && announced, fenced);
}

// An operation that the peer does not permit takes down with it what is behind it. A kernel that is not told that its offer came keeps that
// memory registered, whatever its program does, and does not connect again while it is.
template <verbs_fabric Fabric>
bool verbs_link<Fabric>::acknowledges_first() const noexcept {
  return peer_life_ == 0 && by_.lane.owes_acknowledgement() && acknowledgement() != 0;
}

// Our congestion map, then the send queue in its order. What finds no room goes on when a completion makes some.
template <verbs_fabric Fabric>
void verbs_link<Fabric>::fill() noexcept {
  path& lane = by_.lane;
  keys_.revoke(sends_);
  if (sending_ != nullptr) put_fragments(*sending_);
  constexpr std::uint32_t map_frames = protocol::congestion_map_bytes / protocol::fragment_bytes;
  if (sending_ == nullptr && lane.map_due) {
    // Nothing takes the room that it needs.
    if (room() < map_frames) return;
    put_map();
  }
  while (sending_ == nullptr && room() != 0) {
    datagram* const head = lane.next_unsent();
    if (head == nullptr) {
      ++by_.node.counted.send_queue_empty;
      return;
    }
    bool const accompanied = head->unrepeatable || head->offered != nullptr;
    if (accompanied && !ready_to_send(*head)) {
      if (lane.next_unsent() == head) return;  // there is no room
      continue;
    }
    if (head->work != nullptr && acknowledges_first()) {
      put_acknowledgement();
      continue;
    }
    lane.begin_transmit(*head);
    // A kernel acknowledges what it was asked to, and has no timer for the rest: the last of a burst asks.
    if (lane.budget.charge(head->length) || !lane.has_unsent()) head->acknowledge_soon = true;
    by_.node.counted.send_ack_required += head->acknowledge_soon;
    by_.node.counted.rdsco_retransmitted += head->retransmitted;
    sending_ = head;
    sending_head_ = header_of(*head, 0, true);
    if (accompanied) sending_head_.extensions = extensions_of(*head, !can.addresses_chosen && !keys::count_from_zero);
    work_put_ = head->work == nullptr;
    ends_key_ = head->work != nullptr && head->work->ends_key && device_->sends_invalidate() ? head->work->key : 0;
    fenced_ = head->work != nullptr && brings_back(head->work->what);
    sent_bytes_ = 0;
    put_fragments(*head);
  }
}

template <verbs_fabric Fabric>
void verbs_link<Fabric>::put_fragments(datagram& from) noexcept {
  if (!work_put_) {
    // Taken back in the middle of its operation, it has nothing to say.
    bool const over = from.orphaned;
    if (!over && !put_work(from)) return;
    work_put_ = true;
    if (over) {
      sending_ = nullptr;
      requests_done();
      return by_.lane.end_transmit(from);
    }
  }
  const_buffer one;
  auto const parts = from.parts(one);
  do {
    if (room() == 0) return;
    if (sent_bytes_ == 0) {
      // What is before it may take its time, or be taken back.
      sending_head_.ack = acknowledgement();
      by_.lane.acknowledgement_sent();
    }
    std::uint32_t const count = from.length == 0 ? 0 : protocol::fragment_size(from.length, sent_bytes_);
    copy_from(parts, sent_bytes_, sends_.begin(count));
    sent_bytes_ += count;
    finish(sending_head_, sent_bytes_ == from.length, fenced_);
    if (ends_key_ != 0 && sent_bytes_ == from.length) sends_.last_invalidates(ends_key_);
  } while (sent_bytes_ < from.length);
  sending_ = nullptr;
  by_.lane.end_transmit(from);
}

template <verbs_fabric Fabric>
void verbs_link<Fabric>::put_map() noexcept {
  protocol::header head;
  head.length = protocol::congestion_map_bytes;
  head.flags = protocol::flag::congestion_bitmap;
  head.ack = acknowledgement();
  auto const wire = by_.host.congested.wire();
  for (std::uint32_t at = 0; at < protocol::congestion_map_bytes; at += protocol::fragment_bytes) {
    std::memcpy(sends_.begin(protocol::fragment_bytes).data(), wire.data() + at, protocol::fragment_bytes);
    finish(head, at + protocol::fragment_bytes == protocol::congestion_map_bytes);
  }
  by_.lane.map_due = false;
}

template <verbs_fabric Fabric>
void verbs_link<Fabric>::put_acknowledgement() noexcept {
  protocol::header head;
  head.ack = acknowledgement();
  static_cast<void>(sends_.begin(0));
  finish(head, true);
  by_.lane.acknowledgement_sent();
  ++by_.node.counted.rdsco_ack_frames_sent;
}

template <verbs_fabric Fabric>
void verbs_link<Fabric>::plan_at(time_point when) noexcept {
  if (timer_.armed() && timer_.when <= when) return;
  timer_.when = when;
  loop_.add_timer(timer_);
}

template <verbs_fabric Fabric>
void verbs_link<Fabric>::plan() noexcept {
  if (by_.lane.owes_acknowledgement() && !acknowledge_by_) acknowledge_by_ = loop_.now() + by_.node.options.verbs.acknowledge_within;
  if (acknowledge_by_) plan_at(*acknowledge_by_);
}

}  // namespace rdsco::detail
