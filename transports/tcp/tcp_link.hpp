// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "node/carrier.hpp"
#include "node/event_signal.hpp"
#include "node/intake.hpp"
#include "protocol/backoff.hpp"
#include "transports/tcp/outbox.hpp"
#include "transports/tcp/pong_watch.hpp"
#include "transports/tcp/stream_decoder.hpp"

#include <rdsco/detail/io_backend.hpp>
#include <rdsco/loop.hpp>
#include <rdsco/task.hpp>

#include <cstdint>
#include <deque>
#include <optional>

namespace rdsco::detail {

class tcp_transport;

/// Carries one path over TCP, one connection after the other.
///
/// Only the node with the smaller address connects; the larger one, when it has something to send, knocks with a
/// connection that carries nothing. (RDS over TCP: all data flows on connections that the smaller address opened.)
class tcp_link final : public carrier, public spinner {
 public:
  tcp_link(tcp_transport& owner, connection& by);
  ~tcp_link() override;

  // carrier
  void work_queued() noexcept override { signal_.raise(event_work); }
  void map_changed() noexcept override { signal_.raise(event_work); }
  void reading_allowed() noexcept override { signal_.raise(event_read); }
  void break_off() noexcept override;
  void stop() noexcept override;
  [[nodiscard]] bool has_row() const noexcept override { return static_cast<bool>(stream_); }
  void describe(tcp_row& row) const override;

  // from the listener
  /// The peer opened a connection. False: too many are waiting, the caller keeps it.
  [[nodiscard]] bool offer(io_handle stream);
  /// The larger peer knocked: it has something to send.
  void knocked() noexcept;

  // path_link
  static constexpr bool probes = true;
  [[nodiscard]] task<bool> establish();
  [[nodiscard]] bool receive() noexcept;
  [[nodiscard]] bool transmit() noexcept;
  [[nodiscard]] bool answers_expected() noexcept;
  [[nodiscard]] event_signal& signal() noexcept { return signal_; }
  void note(std::uint32_t events) noexcept;
  [[nodiscard]] task<> tear_down();

  // spinner
  [[nodiscard]] bool expecting() const noexcept override { return true; }
  bool spin() noexcept override;
  void before_wait() noexcept override;

  // the decoder's sink
  [[nodiscard]] bool acceptable(protocol::header const& head) noexcept;
  [[nodiscard]] bool whole(protocol::header const& head, const_buffer payload) noexcept { return intake_.whole(head, payload); }
  [[nodiscard]] void* begin(protocol::header const& head, std::byte*& memory) noexcept;
  [[nodiscard]] bool refused() const noexcept;
  [[nodiscard]] bool finish(protocol::header const& head, void* message) noexcept {
    return intake_.finish(head, static_cast<datagram*>(message));
  }
  void discard(void* message) noexcept { datagram::free(static_cast<datagram*>(message)); }

 private:
  static constexpr std::uint32_t event_work = 1;      // something to send
  static constexpr std::uint32_t event_read = 2;      // something arrived, or reading is allowed again
  static constexpr std::uint32_t event_written = 4;   // TCP takes bytes again
  static constexpr std::uint32_t event_opened = 8;    // our own attempt ended
  static constexpr std::uint32_t event_offered = 16;  // the peer opened a connection, or knocked
  static constexpr std::uint32_t event_tick = 32;     // a deadline passed
  static constexpr std::uint32_t event_stop = 64;

  // One actor's share of a turn, each way.
  static constexpr std::size_t turn_bytes_max = 2u << 20;

  // One read may go into the payload of a large message or into the transport's scratch memory.
  struct read_result {
    std::ptrdiff_t count = 0;
    std::size_t direct = 0;  // bytes of it that went straight into the message
    bool full = false;       // as much came as was asked for: there may be more
    bool pending = false;    // not decoded yet
  };

  // connecting (tcp_link.cpp)
  [[nodiscard]] bool wants_connection() const noexcept;
  [[nodiscard]] task<bool> open_connection();
  [[nodiscard]] task<bool> try_connect();
  [[nodiscard]] task<> knock();
  [[nodiscard]] task<> wait_for_event(std::optional<time_point> until);
  void adopt(io_handle stream) noexcept;
  void close_stream(io_handle& stream, bool reset) noexcept;
  void schedule_attempt() noexcept;
  [[nodiscard]] task<> end_operations();

  // receiving (tcp_receive.cpp)
  [[nodiscard]] bool may_read() noexcept;
  [[nodiscard]] bool take_lent() noexcept;
  [[nodiscard]] bool take_read() noexcept;
  [[nodiscard]] bool read_on() noexcept;
  void read_once() noexcept;
  [[nodiscard]] bool ended(std::ptrdiff_t result) noexcept;
  [[nodiscard]] bool feed(const_buffer bytes) noexcept;
  void stop_reading_actively() noexcept;
  [[nodiscard]] task<> drain();
  [[nodiscard]] task<bool> peer_may_go_on();

  // transmitting (tcp_transmit.cpp)
  [[nodiscard]] std::uint64_t acknowledgement() const noexcept;
  [[nodiscard]] bool share_sent() const noexcept { return outbox_.stream_bytes() >= turn_mark_ + turn_bytes_max; }
  void fill() noexcept;
  void ask_for_acknowledgement() noexcept;
  void acknowledge_last() noexcept;
  [[nodiscard]] bool flush() noexcept;
  void trust_transport() noexcept;
  void plan() noexcept;
  void watch_pong(time_point now) noexcept;
  void pings_unanswered() noexcept;
  void plan_at(time_point when) noexcept;
  void check_partial_message() noexcept;
  static void expired(timer& self) noexcept;

  tcp_transport& owner_;
  connection& by_;
  loop& loop_;
  io_backend& io_;
  event_signal signal_;
  bool const connects_;  // ours is the smaller address

  io_handle stream_;
  std::deque<io_handle> offered_;
  struct link_timer : timer {
    explicit link_timer(tcp_link& of) noexcept : timer(&tcp_link::expired), link(of) {}
    tcp_link& link;
  } timer_;

  template <class Operation>
  struct owned : Operation {
    owned(tcp_link& of, void (*function)(io_operation&) noexcept) noexcept : Operation(function), link(of) {}
    tcp_link& link;
  };
  template <class Operation, std::uint32_t Event>
  static void raise_event(io_operation& self) noexcept {
    static_cast<owned<Operation>&>(self).link.signal_.raise(Event);
  }
  owned<io_operation> connecting_;
  owned<receive_operation> receiving_;
  owned<io_operation> writable_;
  owned<io_operation> readable_;

  protocol::backoff backoff_;
  time_point next_attempt_{};
  bool ever_wanted_ = false;
  bool stopping_ = false;
  bool broken_ = false;
  bool violated_ = false;
  bool deadline_passed_ = false;

  intake intake_;
  stream_decoder<tcp_link> decoder_;
  read_result read_;
  bool armed_ = false;        // receiving_ was started and its completion not yet noted
  bool lent_ready_ = false;   // receiving_ completed and has not been looked at
  bool active_ = false;       // not armed: bytes are looked for by asking
  bool stream_ended_ = false;
  bool end_sent_ = false;     // the peer has been told that nothing more comes
  time_point end_by_{};       // so long its own end is waited for
  std::uint64_t partial_mark_ = 0;
  std::uint64_t received_bytes_ = 0;
  std::optional<time_point> partial_deadline_;

  outbox outbox_;
  std::uint64_t turn_mark_ = 0;  // where in the stream this share of sending began
  std::optional<time_point> acknowledge_by_;  // a lazy acknowledgement, or a lazy request for one, is due then
  pong_watch watched_;
};

}  // namespace rdsco::detail
