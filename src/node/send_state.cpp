// SPDX-License-Identifier: BSD-2-Clause
#include <rdsco/detail/send_state.hpp>

#include "node/node_core.hpp"
#include "node/socket_core.hpp"

#include <utility>

namespace rdsco::detail {

loop& loop_of(socket_core const& socket) noexcept { return socket.where(); }

send_state::send_state(socket_core* from, const_buffers const& payload, endpoint const& to, bool acknowledged) noexcept
    : from_(from), payload_(payload), to_(to), acknowledged_(acknowledged) {
  retry = &retry_send;
  ended = &acknowledgement;
}

bool send_state::finish(errc why) noexcept {
  outcome = why;
  return true;
}

bool send_state::attempt() noexcept {
  if (from_ == nullptr) return finish(errc::not_bound);
  attempting_ = true;
  auto const answer = from_->admit(payload_, to_, acknowledged_ ? this : nullptr, along);
  attempting_ = false;
  switch (answer.verdict) {
    case socket_core::admission::refused: return finish(answer.why);
    case socket_core::admission::port_congested:
      if (!std::exchange(blocked_, true)) ++answer.by->node.counted.cong_send_blocked;
      answer.by->wait_for_port(*this);
      return false;
    case socket_core::admission::buffer_full: from_->wait_for_room(*this); return false;
    case socket_core::admission::accepted: break;
  }
  // Loopback acknowledges at once; then `sent` is gone already.
  return !acknowledged_ || sent == nullptr;
}

void send_state::retry_send(send_waiter& self) noexcept {
  auto& send = static_cast<send_state&>(self);
  if (send.attempt()) send.finished(send);
}

void send_state::acknowledgement(acknowledged_send& self, errc why) noexcept {
  auto& send = static_cast<send_state&>(self);
  send.sent = nullptr;
  send.outcome = why;
  if (!send.attempting_) send.finished(send);
}

void send_state::abandon() noexcept {
  outcome = errc::canceled;
  unlink();
  if (sent == nullptr) return;
  datagram& mine = *std::exchange(sent, nullptr);
  outcome = mine.untouched() ? errc::withdrawn : errc::may_arrive;
  mine.waiting = nullptr;
  from_->take_back(mine, outcome);
  from_->room_made();
}

writable_state::writable_state(socket_core* from, endpoint const& to) noexcept : from_(from), to_(to) { retry = &retry_probe; }

bool writable_state::attempt() noexcept {
  if (from_ == nullptr) return outcome = errc::not_bound, true;
  auto const answer = from_->probe(1, to_);
  switch (answer.verdict) {
    case socket_core::admission::refused: return outcome = answer.why, true;
    case socket_core::admission::port_congested: answer.by->wait_for_port(*this); return false;
    case socket_core::admission::buffer_full: from_->wait_for_room(*this); return false;
    case socket_core::admission::accepted: break;
  }
  return true;
}

void writable_state::retry_probe(send_waiter& self) noexcept {
  auto& writable = static_cast<writable_state&>(self);
  if (writable.attempt()) writable.finished(writable);
}

drain_state::drain_state(socket_core* of) noexcept : of_(of) { retry = &retry_drain; }

bool drain_state::attempt() noexcept {
  if (of_ == nullptr) return outcome = errc::not_bound, true;
  // Closing takes everything back, which is not what was waited for.
  if (!of_->open()) return outcome = errc::closed, true;
  if (of_->unacknowledged_count() == 0) return true;
  of_->wait_until_drained(*this);
  return false;
}

void drain_state::retry_drain(send_waiter& self) noexcept {
  auto& drain = static_cast<drain_state&>(self);
  if (drain.attempt()) drain.finished(drain);
}

}  // namespace rdsco::detail
