// SPDX-License-Identifier: BSD-2-Clause
#include "transports/tcp/tcp_link.hpp"

#include "protocol/address_order.hpp"
#include "transports/tcp/tcp_transport.hpp"

#include <cerrno>
#include <utility>

namespace rdsco::detail {

tcp_link::tcp_link(tcp_transport& owner, connection& by)
    : owner_(owner),
      by_(by),
      loop_(by.node.where),
      io_(loop_.io()),
      signal_(loop_),
      connects_(protocol::role_of(by.key.local.bytes(), by.key.peer.bytes()) == protocol::role::connects),
      timer_(*this),
      connecting_(*this, &raise_event<io_operation, event_opened>),
      receiving_(*this, &raise_event<receive_operation, event_read>),
      writable_(*this, &raise_event<io_operation, event_written>),
      readable_(*this, &raise_event<io_operation, event_read>),
      backoff_(by.node.options.tcp.reconnect_min, by.node.options.tcp.reconnect_max),
      intake_(by),
      decoder_(*this),
      outbox_(*by.node.pool) {}

tcp_link::~tcp_link() {
  loop_.cancel_timer(timer_);
  for (io_handle& each : offered_) close_stream(each, false);
}

void tcp_link::close_stream(io_handle& stream, bool reset) noexcept {
  if (stream) io_.close(std::exchange(stream, io_handle()), reset);
}

void tcp_link::stop() noexcept {
  stopping_ = true;
  signal_.raise(event_stop);
}

void tcp_link::break_off() noexcept {
  broken_ = true;
  signal_.raise(event_work);
}

bool tcp_link::offer(io_handle stream) {
  if (stopping_) return false;
  // The peer gave up those before this one. What it still had on its way on them nobody acknowledges any more.
  std::erase_if(offered_, [&](io_handle& each) {
    bool const empty = io_.unread(each) == 0;
    if (empty) close_stream(each, false);
    return empty;
  });
  if (offered_.size() >= by_.node.options.limits.accepted_waiting) return false;
  offered_.push_back(stream);
  signal_.raise(event_offered);
  return true;
}

void tcp_link::knocked() noexcept {
  ever_wanted_ = true;
  signal_.raise(event_offered);
}

// A node that connects keeps the connection up once it was wanted: the other side cannot.
bool tcp_link::wants_connection() const noexcept { return by_.lane.has_unsent() || (connects_ && ever_wanted_); }

void tcp_link::note(std::uint32_t events) noexcept {
  if ((events & event_read) != 0 && armed_ && !receiving_.in_flight) {
    armed_ = false;
    lent_ready_ = true;
  }
  if ((events & event_written) != 0) ++by_.node.counted.tcp_write_space_calls;
  if ((events & event_tick) != 0) deadline_passed_ = true;
}

task<> tcp_link::wait_for_event(std::optional<time_point> until) {
  if (until) plan_at(*until);
  std::uint32_t const events = co_await signal_.next();
  note(events);
}

void tcp_link::schedule_attempt() noexcept { next_attempt_ = loop_.now() + backoff_.next_delay(loop_.random()); }

task<bool> tcp_link::establish() {
  // One more attempt at once if the connection that ended had carried anything; else the back-off goes on.
  if (intake_.traffic_flowed()) backoff_.traffic_flowed();
  schedule_attempt();
  for (;;) {
    if (stopping_) {
      for (io_handle& each : offered_) close_stream(each, false);
      co_return false;
    }
    if (!offered_.empty()) {
      by_.lane.happened(protocol::path_event::connect);
      adopt(std::exchange(offered_.front(), io_handle()));
      offered_.pop_front();
      co_return true;
    }
    if (!wants_connection()) {
      co_await wait_for_event(std::nullopt);
    } else if (loop_.now() < next_attempt_) {
      co_await wait_for_event(next_attempt_);
    } else if (co_await open_connection()) {
      co_return true;
    }
  }
}

task<bool> tcp_link::open_connection() {
  if (!connects_) {
    co_await knock();
    schedule_attempt();
    co_return false;
  }
  ever_wanted_ = true;
  by_.lane.happened(protocol::path_event::connect);
  bool const connected = co_await try_connect();
  if (connected) {
    adopt(std::exchange(stream_, io_handle()));
    co_return true;
  }
  by_.lane.happened(protocol::path_event::connect_failed);
  ++by_.node.counted.rdsco_connect_failed;
  schedule_attempt();
  co_return false;
}

// Ends with stream_ connected, or with stream_ empty.
task<bool> tcp_link::try_connect() {
  int const opened = io_.open_stream(by_.key.local, owner_.tuning(), stream_);
  if (opened < 0) co_return false;
  time_point const deadline = loop_.now() + by_.node.options.limits.connect;
  io_.connect(stream_, endpoint(by_.key.peer, by_.node.options.tcp.port), connecting_);
  while (connecting_.in_flight) {
    bool const enough = stopping_ || !offered_.empty() || loop_.now() >= deadline;
    if (enough) io_.cancel(connecting_);
    if (enough) {
      co_await wait_for_event(std::nullopt);
    } else {
      co_await wait_for_event(deadline);
    }
  }
  bool const connected = connecting_.result >= 0 && !stopping_;
  if (!connected) close_stream(stream_, false);
  co_return connected;
}

// The smaller address alone may open the connection that data flows on. A connection that says nothing asks it to.
task<> tcp_link::knock() {
  ++by_.node.counted.rdsco_kick_sent;
  static_cast<void>(co_await try_connect());
  close_stream(stream_, false);
}

void tcp_link::adopt(io_handle stream) noexcept {
  stream_ = stream;
  broken_ = violated_ = stream_ended_ = deadline_passed_ = end_sent_ = false;
  read_ = {};
  received_bytes_ = partial_mark_ = 0;
  partial_deadline_.reset();
  acknowledge_by_.reset();
  watched_.stop();
  intake_.begin_connection();
  outbox_.begin_connection();
}

task<> tcp_link::end_operations() {
  stop_reading_actively();
  for (io_operation* const each : {static_cast<io_operation*>(&receiving_), static_cast<io_operation*>(&writable_),
                                   static_cast<io_operation*>(&readable_)})
    if (each->in_flight) io_.cancel(*each);
  while (receiving_.in_flight || writable_.in_flight || readable_.in_flight) co_await wait_for_event(std::nullopt);
}

task<> tcp_link::tear_down() {
  if (!offered_.empty()) ++by_.node.counted.rdsco_connection_replaced;
  co_await end_operations();
  if (stopping_ && !broken_ && !violated_) acknowledge_last();
  // What TCP acknowledged for us counts as ours with a kernel peer: it must be taken before the socket goes.
  co_await drain();
  co_await end_operations();
  io_.release_received(receiving_);
  lent_ready_ = false;
  loop_.cancel_timer(timer_);
  outbox_.clear();
  decoder_.reset();
  owner_.release_scratch(*this);
  close_stream(stream_, violated_);
}

void tcp_link::describe(tcp_row& row) const {
  auto const [local, peer] = io_.ends(stream_);
  row.local = local;
  row.peer = peer;
  row.header_remaining = decoder_.header_remaining();
  row.data_remaining = decoder_.payload_remaining();
  row.sent = outbox_.sent_bytes();
  row.expected_acknowledged = outbox_.stream_bytes();
  row.acknowledged = outbox_.sent_bytes() - io_.unacknowledged(stream_).value_or(0);
}

}  // namespace rdsco::detail
