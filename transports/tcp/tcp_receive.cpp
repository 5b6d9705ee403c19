// SPDX-License-Identifier: BSD-2-Clause
#include "transports/tcp/tcp_link.hpp"
#include "transports/tcp/tcp_transport.hpp"

#include <array>
#include <cerrno>

namespace rdsco::detail {

namespace {
// A payload of which so much is missing is received in place.
constexpr std::size_t direct_above = 16 * 1024;
// Behind it a little more is read, enough for a header and a small message to ride along.
constexpr std::size_t tail_bytes = 4096;
// A peer that was told to end does so at once, if it is there at all.
constexpr std::chrono::seconds end_patience{5};
}  // namespace

bool tcp_link::acceptable(protocol::header const& head) noexcept {
  auto const limit = static_cast<std::uint32_t>(std::min<std::size_t>(by_.node.options.limits.message_bytes, ~std::uint32_t{0}));
  if (protocol::length_acceptable(head, limit)) [[likely]] return true;
  ++by_.node.counted.rdsco_drop_too_large;
  return false;
}

void* tcp_link::begin(protocol::header const& head, std::byte*& memory) noexcept {
  datagram* const made = intake_.begin(head);
  if (made != nullptr) memory = made->storage();
  return made;
}

bool tcp_link::refused() const noexcept { return intake_.refused(); }

bool tcp_link::answers_expected() noexcept { return intake_.take_delivered() != 0; }

// Neither an unread socket nor full memory loses anything: the bytes stay with TCP, and the peer has to wait.
bool tcp_link::may_read() noexcept {
  bool const tight = by_.node.pool->now().live_bytes > by_.node.memory_for_reading();
  if (tight) plan_at(loop_.now() + by_.node.options.tcp.acknowledge_within);
  return by_.may_read() && !tight;
}

bool tcp_link::ended(std::ptrdiff_t result) noexcept {
  if (result == -ECANCELED) return true;
  stream_ended_ = true;
  return false;
}

bool tcp_link::feed(const_buffer bytes) noexcept {
  received_bytes_ += bytes.size();
  if (decoder_.feed(bytes)) return true;
  violated_ = true;
  ++(intake_.refused() ? by_.node.counted.rdsco_drop_memory : by_.node.counted.rdsco_drop_bad_frame);
  return false;
}

bool tcp_link::take_lent() noexcept {
  if (!lent_ready_) return true;
  lent_ready_ = false;
  ++by_.node.counted.tcp_data_ready_calls;
  ++by_.node.counted.rdsco_tcp_receives;
  if (receiving_.result <= 0) return ended(receiving_.result);
  bool const fine = feed(receiving_.bytes);
  io_.release_received(receiving_);
  return fine;
}

void tcp_link::read_once() noexcept {
  mutable_buffer const scratch = owner_.scratch(*this);
  read_ = {};
  if (scratch.empty()) {
    read_.count = -EAGAIN;
    return;
  }
  mutable_buffer const direct = decoder_.direct_space();
  std::array<mutable_buffer, 2> const into{direct, scratch.first(tail_bytes)};
  std::array<mutable_buffer, 1> const whole{scratch};
  bool const in_place = direct.size() >= direct_above;
  std::size_t const asked = in_place ? direct.size() + tail_bytes : scratch.size();
  std::span<mutable_buffer const> const where = in_place ? std::span<mutable_buffer const>(into) : std::span<mutable_buffer const>(whole);
  read_.count = io_.try_receive(stream_, where);
  if (read_.count == -EAGAIN) return;
  ++by_.node.counted.rdsco_tcp_receives;
  owner_.claim_scratch(*this);
  read_.pending = true;
  if (read_.count <= 0) return;
  auto const count = static_cast<std::size_t>(read_.count);
  read_.direct = in_place ? std::min(count, direct.size()) : 0;
  read_.full = count == asked;
}

// Decodes what read_once() brought.
bool tcp_link::take_read() noexcept {
  if (!read_.pending) return true;
  read_.pending = false;
  owner_.release_scratch(*this);
  if (read_.count <= 0) return ended(read_.count);
  auto const count = static_cast<std::size_t>(read_.count);
  if (read_.direct != 0) {
    received_bytes_ += read_.direct;
    if (!decoder_.direct_filled(read_.direct)) return violated_ = true, false;
  }
  // The scratch memory is not given to anybody else before this returns.
  mutable_buffer const scratch = owner_.scratch(*this);
  return feed(const_buffer(scratch.data(), count - read_.direct));
}

// Asks TCP directly while it has more than was asked for.
bool tcp_link::read_on() noexcept {
  std::size_t taken = 0;
  while (may_read()) {
    if (taken >= turn_bytes_max) {
      // Not asked meanwhile: the others are.
      stop_reading_actively();
      signal_.raise_next_turn(event_read);
      return true;
    }
    read_once();
    if (!read_.pending) return true;
    taken += static_cast<std::size_t>(std::max<std::ptrdiff_t>(read_.count, 0));
    bool const more = read_.full;
    if (!take_read()) return false;
    if (!more) return true;
  }
  return true;
}

bool tcp_link::receive() noexcept {
  if (stopping_ || broken_ || !offered_.empty()) return false;
  bool const had_lent = lent_ready_;
  std::size_t const lent = had_lent && receiving_.result > 0 ? receiving_.bytes.size() : 0;
  bool const had_read = read_.pending;
  bool more = read_.full;
  if (!take_lent() || !take_read()) return false;
  // A lent buffer that came full, or a payload that can be received in place, promises more at once.
  more = more || lent >= 32 * 1024 || (had_lent && decoder_.direct_space().size() >= direct_above);
  bool const resumed = !had_lent && !had_read && !armed_ && !active_;
  if ((more || resumed) && !armed_ && !read_on()) return false;
  check_partial_message();
  if (violated_) return false;
  if (!armed_ && !active_ && !signal_.share_spent() && may_read()) {
    active_ = true;
    loop_.add_spinner(*this);
  }
  return true;
}

bool tcp_link::spin() noexcept {
  if (read_.pending || !may_read()) return false;
  read_once();
  if (!read_.pending) return false;
  stop_reading_actively();
  signal_.raise(event_read);
  return true;
}

void tcp_link::stop_reading_actively() noexcept {
  if (!std::exchange(active_, false)) return;
  loop_.remove_spinner(*this);
}

void tcp_link::before_wait() noexcept {
  stop_reading_actively();
  if (armed_ || !stream_ || !may_read()) return;
  armed_ = true;
  io_.receive(stream_, receiving_);
}

// A connection that we break off is whole, and its peer still sends what our TCP would acknowledge: it is told to end, and its end is
// waited for. In every other case the peer has ended already.
task<bool> tcp_link::peer_may_go_on() {
  if (!broken_ || stopping_) co_return false;
  if (!end_sent_) {
    end_sent_ = true;
    end_by_ = loop_.now() + end_patience;
    if (io_.shutdown_send(stream_) < 0) co_return false;
  }
  if (loop_.now() >= end_by_) co_return false;
  if (!readable_.in_flight) io_.wait_ready(stream_, readiness::readable, readable_);
  co_await wait_for_event(end_by_);
  co_return true;
}

// The connection ends, and with it what lies unread in the socket; a kernel peer believes that we have it. The bounds of
// reading hold here too, or a peer could pass them by connecting again and again.
task<> tcp_link::drain() {
  if (armed_ && !receiving_.in_flight) {
    armed_ = false;
    lent_ready_ = true;
  }
  if (violated_ || stream_ended_) co_return;
  if (!take_lent() || !take_read()) co_return;
  std::size_t taken = 0;
  for (;;) {
    bool const readable = may_read();
    if (stopping_ && (!readable || taken >= turn_bytes_max)) co_return;  // its sockets are closed
    if (!readable) {
      co_await wait_for_event(std::nullopt);
      continue;
    }
    // Another link's bytes lie in the scratch memory, or this one has had its share of the turn.
    if (owner_.scratch(*this).empty() || taken >= turn_bytes_max) {
      co_await signal_.next_turn();
      taken = 0;
      continue;
    }
    read_once();
    if (!read_.pending) {
      bool const more = co_await peer_may_go_on();
      if (!more) co_return;
      continue;
    }
    taken += static_cast<std::size_t>(std::max<std::ptrdiff_t>(read_.count, 0));
    if (!take_read()) co_return;
  }
}

}  // namespace rdsco::detail
