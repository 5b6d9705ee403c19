// SPDX-License-Identifier: BSD-2-Clause
#include "transports/tcp/tcp_link.hpp"
#include "transports/tcp/tcp_transport.hpp"

#include <cerrno>

namespace rdsco::detail {

std::uint64_t tcp_link::acknowledgement() const noexcept {
  if (by_.lane.mode != acknowledgement_mode::frames || by_.lane.probe_unsent) return 0;
  return by_.lane.received.last_received().value_or(0);
}

// Puts as much into the outbox as it takes: our congestion map, then the send queue in its order.
void tcp_link::fill() noexcept {
  path& lane = by_.lane;
  if (lane.map_due && outbox_.has_room()) {
    outbox_.put_map(by_.host.congested);
    lane.map_due = false;
  }
  while (datagram* const head = lane.next_unsent()) {
    if (!outbox_.has_room() || share_sent()) return;
    if (lane.budget.charge(head->length)) head->acknowledge_soon = true;
    by_.node.counted.send_ack_required += head->acknowledge_soon;
    by_.node.counted.rdsco_retransmitted += head->retransmitted;
    std::uint64_t const ack = acknowledgement();
    outbox_.put(lane, *head, ack);
    if (ack != 0) lane.acknowledgement_sent();
  }
  ++by_.node.counted.send_queue_empty;
}

// What no datagram carries along: an acknowledgement of ours, or a kernel's that it must be asked for.
void tcp_link::ask_for_acknowledgement() noexcept {
  path& lane = by_.lane;
  bool const due = acknowledge_by_ && loop_.now() >= *acknowledge_by_;
  if (std::uint64_t const ack = acknowledgement(); ack != 0 && lane.owes_acknowledgement()) {
    if ((lane.owes_acknowledgement_now() || due) && outbox_.has_room()) {
      outbox_.put_acknowledgement(ack);
      lane.acknowledgement_sent();
      ++by_.node.counted.rdsco_ack_frames_sent;
    }
  }
  bool const can_ask = lane.mode == acknowledgement_mode::pongs && lane.pong.port == 0;
  if (can_ask && lane.awaits_acknowledgement() && (lane.acknowledgement_urgent() || due) && lane.request_pong(*by_.node.pool)) {
    ++by_.node.counted.rdsco_ack_pings_sent;
    fill();
  }
  if (due) acknowledge_by_.reset();
}

// A node that closes owes it on no later connection: whoever waits for it would wait in vain.
void tcp_link::acknowledge_last() noexcept {
  std::uint64_t const ack = acknowledgement();
  // Behind bytes that TCP does not take any more it would not leave either.
  if (ack == 0 || !by_.lane.owes_acknowledgement() || !outbox_.empty() || !outbox_.has_room()) return;
  outbox_.put_acknowledgement(ack);
  by_.lane.acknowledgement_sent();
  ++by_.node.counted.rdsco_ack_frames_sent;
  static_cast<void>(outbox_.flush(by_.lane, io_, stream_));
}

bool tcp_link::flush() noexcept {
  if (outbox_.empty() || writable_.in_flight) return true;
  ++by_.node.counted.rdsco_tcp_sends;
  std::ptrdiff_t const sent = outbox_.flush(by_.lane, io_, stream_);
  if (sent < 0) return false;
  if (outbox_.empty()) return true;
  ++by_.node.counted.tcp_sndbuf_full;
  io_.wait_ready(stream_, readiness::writable, writable_);
  return true;
}

bool tcp_link::transmit() noexcept {
  if (broken_ || stopping_) return false;
  turn_mark_ = outbox_.stream_bytes();
  bool full = false;
  while (!full && !writable_.in_flight) {
    fill();
    // While the outbox is full the queue goes on after this flush.
    bool const all = !by_.lane.has_unsent();
    if (all) ask_for_acknowledgement();
    if (outbox_.empty()) break;
    if (!flush()) return false;
    full = !outbox_.empty();
  }
  if (by_.lane.mode == acknowledgement_mode::transport) trust_transport();
  deadline_passed_ = false;
  if (outbox_.empty() && by_.lane.idle()) outbox_.rest();
  bool const more = outbox_.empty() && (by_.lane.has_unsent() || by_.lane.map_due);
  if (more && share_sent()) signal_.raise_next_turn(event_work);
  // Memory for staging or for the probe was refused: look again soon.
  bool const refused = more && !share_sent();
  if (refused || by_.lane.probe_due()) plan_at(loop_.now() + by_.node.options.tcp.acknowledge_within);
  // Everything queued so far is out: the event that announced it needs no turn of its own.
  if (!by_.lane.has_unsent() && !by_.lane.map_due && !broken_) signal_.settle(event_work);
  plan();
  return true;
}

// The peer answers no ping: its TCP's word is all there is.
void tcp_link::trust_transport() noexcept {
  auto const unacknowledged = io_.unacknowledged(stream_);
  if (!unacknowledged) return;
  by_.lane.acknowledged_by_transport(outbox_.sent_bytes() - *unacknowledged, by_.node.counted.rdsco_retired_by_tcp);
}

void tcp_link::check_partial_message() noexcept {
  bool const inside = decoder_.in_message() && may_read();
  if (!inside) return partial_deadline_.reset();
  time_point const now = loop_.now();
  // Whoever sends so slowly that not even this much came in the time holds our memory for nothing.
  constexpr std::uint64_t progress_bytes = 1024;
  bool const progressed = received_bytes_ >= partial_mark_ + progress_bytes;
  if (!partial_deadline_ || progressed) {
    partial_mark_ = received_bytes_;
    partial_deadline_ = now + by_.node.options.limits.partial_message;
  } else if (now >= *partial_deadline_) {
    ++by_.node.counted.rdsco_drop_partial_timeout;
    violated_ = true;
  }
}

void tcp_link::plan_at(time_point when) noexcept {
  if (timer_.armed() && timer_.when <= when) return;
  timer_.when = when;
  loop_.add_timer(timer_);
}

// Arms the timer for whatever is to happen without a further event.
void tcp_link::plan() noexcept {
  path& lane = by_.lane;
  time_point const now = loop_.now();
  bool const owes = lane.owes_acknowledgement() && lane.mode == acknowledgement_mode::frames;
  bool const can_ask = lane.mode == acknowledgement_mode::pongs && lane.pong.port == 0;
  bool const waits = lane.awaits_acknowledgement() && (can_ask || lane.mode == acknowledgement_mode::transport);
  if ((owes || waits) && !acknowledge_by_) acknowledge_by_ = now + by_.node.options.tcp.acknowledge_within;
  if (acknowledge_by_) plan_at(*acknowledge_by_);
  if (partial_deadline_) plan_at(*partial_deadline_);
  watch_pong(now);
}

// Does the peer answer pings at all? Only then may its TCP's word do.
void tcp_link::watch_pong(time_point now) noexcept {
  path& lane = by_.lane;
  if (lane.pong.port == 0 || lane.mode == acknowledgement_mode::frames) return watched_.stop();
  watched_.start(lane.pong.port, now, by_.node.options.tcp.pong_patience / 4);
  if (now >= watched_.next_look()) {
    std::uint64_t const taken = outbox_.sent_bytes() - io_.unacknowledged(stream_).value_or(outbox_.sent_bytes());
    bool const there = may_read() && lane.pong_requested_below(taken);
    switch (watched_.look(now, {there, taken, outbox_.stream_bytes()})) {
      case pong_watch::step::wait: break;
      case pong_watch::step::test_wire:
        lane.map_due = true;  // needs no number, and changes nothing over there
        signal_.raise(event_work);
        break;
      case pong_watch::step::unanswered: return pings_unanswered();
    }
  }
  plan_at(watched_.next_look());
}

// A peer that answered on this connection and stopped is asked on another one, where everything is sent again and it drops what it has.
void tcp_link::pings_unanswered() noexcept {
  watched_.stop();
  if (by_.lane.pong_seen) {
    ++by_.node.counted.rdsco_pong_overdue;
    broken_ = true;
  } else {
    by_.lane.mode = acknowledgement_mode::transport;
    by_.lane.pong = {};
  }
  signal_.raise(event_work);
}

void tcp_link::expired(timer& self) noexcept { static_cast<link_timer&>(self).link.signal_.raise(event_tick); }

}  // namespace rdsco::detail
