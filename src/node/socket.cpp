// SPDX-License-Identifier: BSD-2-Clause
#include <rdsco/socket.hpp>

#include "node/datagram.hpp"
#include "node/node_core.hpp"
#include "node/region_core.hpp"
#include "node/socket_core.hpp"

#include <rdsco/with_timeout.hpp>

#include <utility>

namespace rdsco {

receive_wait::receive_wait(detail::socket_core* socket) noexcept : socket_(socket) { woken = &woken_up; }

bool receive_wait::await_ready() noexcept {
  if (socket_ == nullptr) return outcome_ = errc::not_bound, true;
  if (!socket_->open()) return outcome_ = errc::closed, true;
  return socket_->readable();
}

void receive_wait::enlist() noexcept {
  // The program may close its socket before this receive resumes.
  socket_->hold();
  waited_ = true;
  socket_->wait_to_receive(*this);
}

void receive_wait::woken_up(detail::receive_waiter& self) noexcept {
  auto& wait = static_cast<receive_wait&>(self);
  wait.claims_ = true;
  wait.complete();
}

void receive_wait::on_stop() noexcept {
  static_cast<detail::receive_waiter&>(*this).unlink();
  outcome_ = errc::canceled;
  complete();
}

detail::datagram* receive_wait::claimed() noexcept {
  detail::datagram* const taken = outcome_ ? nullptr : take_claimed();
  if (waited_) socket_->let_go();
  return taken;
}

detail::datagram* receive_wait::take_claimed() noexcept {
  // A receive that lost a race after it was woken leaves the datagram to the next one.
  bool const stopped = claims_ && stop_ != nullptr && stop_->stop_requested();
  if (stopped || !socket_->open()) outcome_ = stopped ? errc::canceled : errc::closed;
  detail::datagram* const taken = outcome_ ? nullptr : socket_->take();
  if (claims_) socket_->end_claim(taken != nullptr);
  return taken;
}

result<message> receive_awaiter::await_resume() noexcept {
  detail::datagram* const taken = claimed();
  if (taken == nullptr) return outcome();
  return message(taken);
}

namespace {

received copy_out(detail::datagram const& from, mutable_buffer into) noexcept {
  received made;
  made.size = from.length;
  made.copied = std::min<std::size_t>(from.length, into.size());
  made.from = endpoint(from.from, from.source_port);
  if (made.copied != 0) std::memcpy(into.data(), from.bytes, made.copied);
  return made;
}

}  // namespace

result<received> receive_into_awaiter::await_resume() noexcept {
  detail::datagram* const taken = claimed();
  if (taken == nullptr) return outcome();
  received made = copy_out(*taken, into_);
  socket().node()->counted.copy_to_user += made.copied;
  message all(taken);
  if (made.truncated()) made.whole = std::move(all);
  return made;
}

socket::socket(socket&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}

socket& socket::operator=(socket&& other) noexcept {
  if (this == &other) return *this;
  close();
  core_ = std::exchange(other.core_, nullptr);
  return *this;
}

socket::~socket() { close(); }

void socket::close() noexcept {
  if (core_ == nullptr) return;
  core_->close();
  std::exchange(core_, nullptr)->let_go();
}

endpoint socket::local() const noexcept { return core_ == nullptr ? endpoint() : core_->bound(); }

endpoint socket::default_peer() const noexcept { return core_ == nullptr ? endpoint() : core_->default_peer(); }

std::error_code socket::set_default_peer(endpoint const& to) noexcept {
  if (core_ == nullptr) return errc::not_bound;
  if (to.host.is_unspecified()) return errc::no_destination;
  if (to.host.is_multicast()) return errc::invalid_address;
  if (to.host.is_v4() != core_->bound().host.is_v4()) return errc::address_family;
  core_->set_default_peer(to);
  return {};
}

std::error_code socket::try_send_to(const_buffers payload, endpoint const& to) noexcept {
  if (core_ == nullptr) return errc::not_bound;
  // Whoever waits for room came first; an empty datagram needs none.
  if (payload.size() != 0 && core_->others_wait_for_room()) return errc::would_block;
  auto const answer = core_->admit(payload, to, nullptr);
  switch (answer.verdict) {
    case detail::socket_core::admission::refused: return answer.why;
    case detail::socket_core::admission::port_congested: ++core_->node()->counted.cong_send_error; return errc::congested;
    case detail::socket_core::admission::buffer_full: return errc::would_block;
    case detail::socket_core::admission::accepted: break;
  }
  return {};
}

result<message> socket::try_receive() noexcept {
  if (core_ == nullptr) return errc::not_bound;
  if (!core_->open()) return errc::closed;
  if (!core_->readable()) return errc::would_block;
  return message(core_->take());
}

result<received> socket::peek(mutable_buffer into) noexcept {
  if (core_ == nullptr) return errc::not_bound;
  if (!core_->open()) return errc::closed;
  if (!core_->readable()) return errc::would_block;
  return copy_out(core_->front(), into);
}

void socket::set_buffers(std::size_t send, std::size_t receive) noexcept {
  if (core_ != nullptr) core_->set_buffers(send, receive);
}

std::error_code socket::set_type_of_service(std::uint8_t value) noexcept {
  return core_ == nullptr ? errc::not_bound : core_->set_type_of_service(value);
}

std::size_t socket::cancel_sent_to(endpoint const& to) noexcept { return core_ == nullptr ? 0 : core_->cancel_sent_to(to); }

std::size_t socket::unacknowledged() const noexcept { return core_ == nullptr ? 0 : core_->unacknowledged_count(); }

namespace {

task<result<>> wait_until_drained(detail::socket_core* of) { co_return co_await drain_awaiter(of); }

}  // namespace

task<result<std::size_t>> socket::drain(std::chrono::nanoseconds patience) {
  if (core_ == nullptr) co_return errc::not_bound;
  detail::socket_core* const core = core_;
  core->hold();
  auto waiting = wait_until_drained(core);
  auto const drained = co_await with_timeout(patience, std::move(waiting));
  std::size_t const left = core->unacknowledged_count();
  core->let_go();
  co_return result<std::size_t>(drained.ec, left);
}

task<result<region>> socket::register_memory(mutable_buffer memory) {
  if (core_ == nullptr) co_return errc::not_bound;
  if (!core_->open()) co_return errc::closed;
  if (memory.empty()) co_return errc::invalid_range;
  detail::local_host& host = core_->host();
  if (host.capabilities.remote_memory == registration::none) co_return errc::not_supported;
  std::uint8_t const type_of_service = core_->options().type_of_service;
  auto registering = host.by.register_memory(host, memory);
  auto const made = co_await std::move(registering);
  if (made.ec) co_return made.ec;
  made.data->set_type_of_service(type_of_service);
  host.node.keep(*made.data);
  co_return region(made.data);
}

}  // namespace rdsco
