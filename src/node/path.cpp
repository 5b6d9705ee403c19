// SPDX-License-Identifier: BSD-2-Clause
#include "node/path.hpp"

#include "node/carrier.hpp"
#include "node/connection.hpp"
#include "node/node_core.hpp"
#include "node/offer_core.hpp"
#include "node/ports.hpp"
#include "node/socket_core.hpp"

#include <cassert>

namespace rdsco::detail {

namespace {

bool is_answer(datagram const& one) noexcept {
  return one.kind == datagram_kind::pong || one.kind == datagram_kind::probe_pong;
}

// What asks the peer something about one connection.
bool is_inquiry(datagram const& one) noexcept {
  return one.kind == datagram_kind::probe || one.kind == datagram_kind::probe_pong || one.kind == datagram_kind::acknowledgement_ping;
}

// Everything else is said again on the next connection, but what follows a remote operation.
bool repeatable(datagram const& one) noexcept { return !is_inquiry(one) && !one.unrepeatable; }

}  // namespace

path::path(connection& owns, std::uint64_t first_sequence) noexcept
    : owner(owns), epoch(owns.node.next_epoch()), numbers(first_sequence) {}

path::~path() { assert(unsent_.empty() && unacknowledged_.empty()); }

void path::enqueue(datagram_list& batch) noexcept {
  bool const was_empty = unsent_.empty();
  while (datagram* const one = batch.pop_front()) {
    one->state = datagram_state::unsent;
    urgent_ |= one->acknowledge_soon;
    unsent_.push_back(*one);
  }
  if (was_empty && !unsent_.empty()) carried_by->work_queued();
}

void path::forget(datagram& one) noexcept {
  if (one.state == datagram_state::unsent) {
    unsent_.remove(one);
    if (is_answer(one)) --answers_unsent;
  } else {
    assert(one.state == datagram_state::unacknowledged);
    unacknowledged_.remove(one);
    if (is_answer(one)) --answers_unacknowledged;
    if (!is_inquiry(one)) --unretired_;
  }
}

void path::withdraw(datagram& one) noexcept {
  one.owner = nullptr;
  one.waiting = nullptr;
  one.work = nullptr;
  if (one.transmitting) {
    one.orphaned = true;
    return;
  }
  forget(one);
  datagram::free(&one);
}

void path::begin_transmit(datagram& head) noexcept {
  assert(&head == &unsent_.front());
  unsent_.remove(head);
  if (is_answer(head)) {
    --answers_unsent;
    ++answers_unacknowledged;
  }
  if (head.sequence == 0) head.sequence = numbers.take();
  if (head.kind == datagram_kind::probe) {
    probe_unsent = false;
    pong = {protocol::probe_port, head.sequence};
  } else if (head.kind == datagram_kind::acknowledgement_ping) {
    pong.sequence = head.sequence;
  }
  head.state = datagram_state::unacknowledged;
  head.transmitting = true;
  unacknowledged_.push_back(head);
  if (!is_inquiry(head) && unretired_++ == 0) owner.acknowledgement_awaited();
}

void path::drop(datagram& one, errc why) noexcept {
  forget(one);
  if (one.owner != nullptr) one.owner->sent_dropped(one, why);
  datagram::free(&one);
}

void path::drop_work_on(region_core const& region) noexcept {
  for (auto at = unsent_.begin(); at != unsent_.end();) {
    datagram& one = *at++;
    if (one.work != nullptr && one.work->uses(region)) drop(one, errc::not_registered);
  }
}

void path::end_transmit(datagram& done) noexcept {
  done.transmitting = false;
  if (!done.orphaned) return;
  forget(done);
  datagram::free(&done);
}

void path::retire(datagram& one) noexcept {
  forget(one);
  if (one.offered != nullptr) one.offered->delivered = true;
  if (one.owner != nullptr) one.owner->sent_retired(one);
  datagram::free(&one);
}

bool path::acknowledged(std::uint64_t sequence, std::uint64_t& counter) noexcept {
  switch (numbers.acknowledge(sequence)) {
    case protocol::ack_verdict::future: return false;
    case protocol::ack_verdict::stale: return true;
    case protocol::ack_verdict::advances: break;
  }
  while (!unacknowledged_.empty()) {
    datagram& head = unacknowledged_.front();
    if (head.sequence > sequence || head.transmitting) break;
    ++counter;
    retire(head);
  }
  return true;
}

// All that was transmitted is to be sent again, at the front of the queue and in order.
bool path::acknowledged_earlier(std::uint64_t sequence, std::uint64_t& counter) noexcept {
  if (numbers.acknowledge(sequence) == protocol::ack_verdict::future) return false;
  while (!unsent_.empty()) {
    datagram& head = unsent_.front();
    if (head.sequence == 0 || head.sequence > sequence) break;
    ++counter;
    retire(head);
  }
  return true;
}

void path::pong_arrived(std::uint16_t port, std::uint64_t& counter) noexcept {
  if (pong.port != port || pong.sequence == 0) return;
  bool const known = acknowledged(pong.sequence, counter);
  assert(known);
  static_cast<void>(known);
  pong = {};
}

bool path::request_pong(block_pool& pool) noexcept {
  datagram* const ping = datagram::make(pool, 0);
  if (ping == nullptr) return false;
  next_pong_port_ = static_cast<std::uint16_t>((next_pong_port_ + 1) % acknowledgement_ports);
  ping->kind = datagram_kind::acknowledgement_ping;
  ping->source_port = static_cast<std::uint16_t>(first_acknowledgement_port + next_pong_port_);
  pong = {ping->source_port, 0};
  urgent_ = false;
  enqueue(*ping);
  return true;
}

bool path::pong_requested_below(std::uint64_t stream_offset) noexcept {
  if (pong.sequence == 0) return false;
  for (datagram& one : unacknowledged_)
    if (one.sequence == pong.sequence) return !one.transmitting && one.stream_end <= stream_offset;
  return true;
}

void path::acknowledged_by_transport(std::uint64_t stream_offset, std::uint64_t& counter) noexcept {
  while (!unacknowledged_.empty()) {
    datagram& head = unacknowledged_.front();
    if (head.transmitting || head.stream_end > stream_offset) return;
    ++counter;
    retire(head);
  }
}

void path::begin_connection(bool probes) noexcept {
  received.begin_connection();
  owed_ = {};
  map_due = true;
  pong = {};
  pong_seen = false;
  mode = probes ? acknowledgement_mode::unknown : acknowledgement_mode::frames;
  probe_unsent = probe_due_ = probes;
}

void path::announce(datagram* probe) noexcept {
  if (probe == nullptr) return;
  probe_due_ = false;
  probe->state = datagram_state::unsent;
  // A peer drops an old number that follows a newer one.
  auto fresh = unsent_.begin();
  while (fresh != unsent_.end() && fresh->retransmitted) ++fresh;
  unsent_.insert(fresh, *probe);
}

void path::reset() noexcept {
  epoch = owner.node.next_epoch();
  budget.rearm();
  owed_ = {};
  pong = {};
  drop_unrepeatable();
  while (!unacknowledged_.empty()) {
    datagram& last = unacknowledged_.back();
    last.transmitting = false;
    if (last.orphaned || !repeatable(last)) {
      drop(last, errc::operation_dropped);
      continue;
    }
    forget(last);
    last.retransmitted = true;
    last.state = datagram_state::unsent;
    if (is_answer(last)) ++answers_unsent;
    unsent_.push_front(last);
  }
  urgent_ = !unsent_.empty();
}

// What was made for the connection that is gone and never sent means nothing on the next.
void path::drop_unrepeatable() noexcept {
  for (auto at = unsent_.begin(); at != unsent_.end();) {
    datagram& one = *at++;
    if (repeatable(one)) continue;
    // Nothing of it has reached the peer; its key is worth nothing now.
    drop(one, one.untouched() ? errc::stale_offer : errc::operation_dropped);
  }
}

void path::clear() noexcept {
  for (datagram_list* list : {&unacknowledged_, &unsent_})
    while (!list->empty()) drop(list->front(), errc::closed);
}

}  // namespace rdsco::detail
