// SPDX-License-Identifier: BSD-2-Clause
#include "node/socket_core.hpp"

#include "node/node_core.hpp"
#include "node/offer_core.hpp"
#include "node/ports.hpp"
#include "node/region_core.hpp"

#include <rdsco/loop.hpp>

#include <cassert>
#include <new>

namespace rdsco::detail {

namespace {
// Empty datagrams take no room in the send buffer; their number is bounded instead.
constexpr std::size_t sent_count_max = 65536;
}  // namespace

socket_core::socket_core(node_core& node, local_host& host, std::uint16_t port, socket_options const& options) noexcept
    : node_(&node),
      counted_(&node.counted),
      loop_(node.where),
      host_(host),
      bound_(host.at, port),
      options_(options),
      largest_(node.options.limits.message_bytes),
      id_(node.next_socket_id()) {}

socket_core::~socket_core() {
  assert(sent_.empty() && unread_.empty() && charged_.empty());
  unlink();
}

socket_core* socket_core::make(node_core& node, local_host& host, std::uint16_t port, socket_options const& options) {
  return new socket_core(node, host, port, options);
}

errc socket_core::check(std::size_t bytes, endpoint const& to) const noexcept {
  if (!open_ || node_ == nullptr) return errc::closed;
  if (to.host.is_unspecified()) return errc::no_destination;
  if (to.host.is_multicast()) return errc::invalid_address;
  if (to.host.is_v4() != bound_.host.is_v4()) return errc::address_family;
  if (to.port == 1) return errc::invalid_port;
  if (bytes > node_->options.limits.message_bytes || bytes > options_.send_buffer) return errc::message_too_large;
  return {};
}

// Finds the connection and keeps it for the next datagram, which mostly goes the same way.
errc socket_core::route(endpoint const& to) noexcept {
  auto const found = node_->connect_to(host_, to.host, options_.type_of_service);
  if (found.ec) return static_cast<errc>(found.ec.value());
  last_used_ = found.data;
  return {};
}

socket_core::admitted socket_core::probe(std::size_t bytes, endpoint const& to) noexcept {
  bool const known = last_used_ != nullptr && last_used_->key.peer == to.host;
  bool const fits = bytes <= largest_ && bytes <= options_.send_buffer && to.port != 1;
  if (!known || !fits) [[unlikely]] {
    if (auto const why = check(bytes, to); why != errc()) return {admission::refused, why};
    if (auto const why = route(to); why != errc()) return {admission::refused, why};
  }
  if (last_used_->congested(to.port)) [[unlikely]] return {admission::port_congested, {}, last_used_};
  if (!has_room(bytes)) [[unlikely]] {
    ++node_->counted.send_queue_full;
    return {admission::buffer_full, {}, last_used_};
  }
  return {admission::accepted, {}, last_used_};
}

datagram* socket_core::make_datagram(const_buffers const& payload, endpoint const& to, acknowledged_send* waiting, connection* by) noexcept {
  std::size_t const bytes = payload.size();
  std::size_t const kept = waiting != nullptr ? 0 : bytes;
  if (node_->pool->now().live_bytes + kept > node_->memory_for_sending()) return nullptr;
  datagram* const made = datagram::make(*node_->pool, kept);
  if (made == nullptr) return nullptr;
  made->length = static_cast<std::uint32_t>(bytes);
  made->source_port = bound_.port;
  made->destination_port = to.port;
  made->kind = to.port == 0 ? datagram_kind::ping : datagram_kind::data;
  made->owner = this;
  made->by = by;
  if (waiting == nullptr) {
    payload.copy_to(made->storage());
    node_->counted.copy_from_user += bytes;
  } else if (auto const parts = payload.parts(); parts.size() == 1) {
    made->bytes = parts[0].data();
  } else {
    made->gathered = parts;
  }
  return made;
}

errc socket_core::check(accompaniment const& along, connection& by) const noexcept {
  if (host_.capabilities.remote_memory == registration::none) return errc::not_supported;
  if (along.offered != nullptr) {
    if (!along.offered->open()) return errc::stale_offer;
    return along.offered->to() == &by ? errc() : errc::wrong_peer;
  }
  remote_work const& work = *along.work;
  if (is_atomic(work.what) && !host_.capabilities.atomics) return errc::not_supported;
  if (work.epoch != by.lane.epoch) return errc::stale_offer;
  return by.by->check_work(work);
}

// Before whatever makes an operation wait: nobody waits with memory that is gone.
bool socket_core::registered(remote_work const& work) const noexcept {
  for (region_slice const& each : work.local)
    if (!each.core()->usable() || each.core()->host() != &host_) return false;
  return true;
}

void socket_core::take_along(accompaniment const& along, datagram& by) noexcept {
  by.work = along.work;
  by.unrepeatable = along.work != nullptr;
  by.offered = along.offered;
  if (by.offered != nullptr) by.offered->hold();
  // Nobody at the peer hears of it but its RDS layer, whose answer nobody waits for here.
  if (along.silent) by.source_port = first_acknowledgement_port;
}

socket_core::admitted socket_core::admit(const_buffers const& payload, endpoint const& to, acknowledged_send* waiting,
                                         accompaniment const* along) noexcept {
  if (along != nullptr && along->work != nullptr && !registered(*along->work)) [[unlikely]] return {admission::refused, errc::not_registered};
  admitted answer = probe(payload.size(), to);
  if (answer.verdict != admission::accepted) return answer;
  if (along != nullptr) [[unlikely]] {
    if (auto const why = check(*along, *answer.by); why != errc()) return {admission::refused, why};
  }
  datagram* const made = make_datagram(payload, to, waiting, answer.by);
  if (made == nullptr) return {admission::refused, errc::limit_reached};
  if (along != nullptr) [[unlikely]] take_along(*along, *made);
  if (made->kind == datagram_kind::ping && !made->unrepeatable && !await_pong(*answer.by)) {
    datagram::free(made);
    return {admission::refused, errc::out_of_memory};
  }
  made->waiting = waiting;
  if (waiting != nullptr) waiting->sent = made;
  send_bytes_ += made->length;
  ++sent_count_;
  has_sent_ = true;
  sent_.push_back(*made);
  made->acknowledge_soon = waiting != nullptr || send_bytes_ * 2 >= options_.send_buffer;
  ++node_->counted.send_queued;
  answer.by->lane.enqueue(*made);
  return answer;
}

void socket_core::sent_retired(datagram& one) noexcept { settle_account(release_account(one)); }

void socket_core::sent_dropped(datagram& one, errc why) noexcept { settle_account(release_account(one), why); }

bool socket_core::has_room(std::size_t bytes) const noexcept {
  return (bytes == 0 || send_bytes_ < options_.send_buffer) && sent_count_ < sent_count_max;
}

// Whoever is woken finds room, and so does not stand on this list again.
void socket_core::wake_room_waiters() noexcept {
  while (!room_waiters_.empty() && has_room(1)) {
    send_waiter& first = *room_waiters_.pop_front();
    first.retry(first);
  }
}

void socket_core::wake_all(send_waiter_list& waiters) noexcept {
  send_waiter_list woken;
  woken.splice_back(waiters);
  while (send_waiter* const one = woken.pop_front()) one->retry(*one);
}

std::size_t socket_core::cancel_sent_to(endpoint const& to) noexcept {
  std::size_t cancelled = 0;
  for (auto at = sent_.begin(); at != sent_.end();) {
    datagram& one = *at++;
    if (one.destination_port != to.port || one.by->key.peer != to.host) continue;
    take_back(one, one.untouched() ? errc::withdrawn : errc::may_arrive);
    ++cancelled;
  }
  if (cancelled != 0) room_made();
  return cancelled;
}

void socket_core::take_back(datagram& one, errc why) noexcept {
  acknowledged_send* const waiting = std::exchange(one.waiting, nullptr);
  // A datagram whose bytes are half out must be finished, and so needs memory that stays.
  if (one.transmitting && !one.take_payload_over()) one.by->by->break_off();
  // A ping that never left has no answer to come.
  if (one.kind == datagram_kind::ping && !one.unrepeatable && one.untouched()) static_cast<void>(expects_pong(*one.by));
  discharge(one);
  if (node_ != nullptr) ++node_->counted.rdsco_withdrawn;
  one.by->lane.withdraw(one);
  if (waiting != nullptr) waiting->ended(*waiting, why);
}

bool socket_core::deliver(datagram& one, connection& by) noexcept {
  if (!open_) return false;
  one.state = datagram_state::received;
  one.owner = this;
  one.by = &by;
  unread_.push_back(one);
  ++unread_count_;
  account_unread(one.length);
  ++held_count_;
  by.hold_unread(one);
  if (over_cap()) charge(one);
  ++node_->counted.recv_queued;
  if (receive_waiter* const first = receive_waiters_.pop_front()) {
    ++claims_;
    first->woken(*first);
  }
  return true;
}

void socket_core::account_unread(std::size_t bytes) noexcept {
  unread_bytes_ += bytes;
  node_->counted.recv_bytes_added_to_sock += bytes;
  if (congested_ || unread_bytes_ <= options_.receive_buffer) return;
  congested_ = true;
  if (host_.congested.set(bound_.port)) node_->congestion_changed(host_);
}

void socket_core::settle_unread(datagram& one) noexcept {
  unread_bytes_ -= one.length;
  --held_count_;
  if (one.overdrawn) uncharge(one);
  if (node_ == nullptr) return;
  node_->counted.recv_bytes_freed_fromsock += one.length;
  one.by->release_unread(one);
  uncharge_what_fits();
  free_port_when_read();
}

void socket_core::charge(datagram& one) noexcept {
  one.overdrawn = true;
  charged_.push_back(one);
  charged_bytes_ += one.length;
  ++charged_count_;
  one.by->charge_overdraft(one);
}

void socket_core::uncharge(datagram& one) noexcept {
  one.overdrawn = false;
  charged_.remove(one);
  charged_bytes_ -= one.length;
  --charged_count_;
  if (node_ != nullptr) one.by->settle_overdraft(one);
}

// Whatever was consumed made room below the cap, and the oldest that is charged moves in: a peer is never charged for more than the
// socket's excess.
void socket_core::uncharge_what_fits() noexcept {
  while (!charged_.empty()) {
    datagram& oldest = charged_.front();
    if (unread_bytes_ - charged_bytes_ + oldest.length > byte_cap() || held_count_ - charged_count_ >= held_count_max) return;
    uncharge(oldest);
  }
}

// A buffer that is too small to have a half is free when it is empty.
void socket_core::free_port_when_read() noexcept {
  bool const read = unread_bytes_ == 0 || unread_bytes_ < options_.receive_buffer / 2;
  if (!congested_ || !read) return;
  congested_ = false;
  if (host_.congested.clear(bound_.port)) node_->congestion_changed(host_);
}

void socket_core::end_claim(bool taken) noexcept {
  --claims_;
  if (taken || !readable() || receive_waiters_.empty()) return;
  receive_waiter& other = *receive_waiters_.pop_front();
  ++claims_;
  other.woken(other);
}

void socket_core::give_back(datagram& lent) noexcept {
  settle_unread(lent);
  datagram::free(&lent);
  let_go();
}

bool socket_core::await_pong(connection const& by) noexcept {
  for (awaited_pongs& each : pongs_)
    if (each.by == &by) return ++each.count, true;
  try {
    pongs_.push_back({&by, 1});
  } catch (std::bad_alloc const&) {
    return false;
  }
  return true;
}

bool socket_core::expects_pong(connection const& by) noexcept {
  for (awaited_pongs& each : pongs_) {
    if (each.by != &by) continue;
    if (--each.count != 0) return true;
    each = pongs_.back();
    pongs_.pop_back();
    return true;
  }
  return false;
}

void socket_core::close() noexcept {
  if (!open_) return;
  while (!sent_.empty()) take_back(sent_.front(), errc::closed);
  while (datagram* const one = unread_.pop_front()) {
    --unread_count_;
    settle_unread(*one);
    datagram::free(one);
  }
  open_ = false;
  last_used_ = nullptr;
  while (receive_waiter* const one = receive_waiters_.pop_front()) {
    ++claims_;
    one->woken(*one);
  }
  wake_all(room_waiters_);
  wake_all(drain_waiters_);
  if (node_ == nullptr) return;
  if (congested_ && host_.congested.clear(bound_.port)) node_->congestion_changed(host_);
  congested_ = false;
  node_->wake_port_waiters();
  node_->unbind(*this, host_);
}

void socket_core::set_buffers(std::size_t send, std::size_t receive) noexcept {
  options_.send_buffer = send;
  options_.receive_buffer = receive;
  if (!open_ || node_ == nullptr) return;
  wake_room_waiters();
  uncharge_what_fits();
  free_port_when_read();
  account_unread(0);
}

std::error_code socket_core::set_type_of_service(std::uint8_t value) noexcept {
  if (!host_.capabilities.type_of_service) return errc::not_supported;
  if (has_sent_) return std::make_error_code(std::errc::invalid_argument);
  options_.type_of_service = value;
  last_used_ = nullptr;
  return {};
}

socket_row socket_core::row() const {
  socket_row made;
  made.bound = bound_;
  made.connected = default_peer_;
  made.send_buffer = options_.send_buffer;
  made.receive_buffer = options_.receive_buffer;
  made.unacknowledged_bytes = send_bytes_;
  made.unread_bytes = unread_bytes_;
  made.id = id_;
  return made;
}

void socket_core::describe_unread(std::vector<message_row>& rows) {
  for (datagram& one : unread_)
    rows.push_back({endpoint(one.from, one.source_port), bound_, options_.type_of_service, one.sequence, one.length});
}

}  // namespace rdsco::detail
