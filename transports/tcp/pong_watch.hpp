// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/detail/seams.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>

namespace rdsco::detail {

/// Tells a peer that answers no ping from one whose answer is still under way.
///
/// The peer's TCP has our ping, and no pong comes. Either pings are switched off over there, or the wire lost the answer and the peer's
/// TCP will send it again. So the wire is tested: something is sent behind the ping, and once the peer's TCP has that as well, the answer
/// gets as much time again as has passed already, because the intervals at which a TCP sends again double.
class pong_watch {
 public:
  enum class step : std::uint8_t {
    wait,       ///< nothing to do before next_look()
    test_wire,  ///< send something now, whatever it is
    unanswered  ///< the peer had the ping and a wire that works, and does not answer
  };
  /// What the connection knows when it looks.
  struct look_at {
    bool ping_there = false;          ///< the peer's TCP has the ping, and we read what it sends
    std::uint64_t taken_by_tcp = 0;   ///< bytes of the stream that the peer's TCP has
    std::uint64_t put_in_stream = 0;  ///< bytes of the stream so far, sent or not
  };

  void stop() noexcept { port_ = 0; }
  /// Watches the ping from this port, from now on if it is another than before. A look every `interval`.
  void start(std::uint16_t port, time_point now, duration interval) noexcept {
    if (port_ == port) return;
    *this = {};
    port_ = port;
    interval_ = interval;
    next_look_ = now + interval;
  }
  [[nodiscard]] time_point next_look() const noexcept { return next_look_; }

  [[nodiscard]] step look(time_point now, look_at const& seen) noexcept {
    next_look_ = now + interval_;
    if (!seen.ping_there) {
      phase_ = phase::on_its_way;
      return step::wait;
    }
    switch (phase_) {
      case phase::on_its_way:
        there_since_ = now;
        phase_ = phase::there;
        return step::wait;
      case phase::there:
        test_lies_beyond_ = seen.put_in_stream;
        phase_ = phase::testing_wire;
        return step::test_wire;
      case phase::testing_wire:
        if (seen.taken_by_tcp <= test_lies_beyond_) return step::wait;
        phase_ = phase::wire_works;
        next_look_ = now + std::max(interval_, now - there_since_);
        return step::wait;
      case phase::wire_works: break;
    }
    return step::unanswered;
  }

 private:
  enum class phase : std::uint8_t { on_its_way, there, testing_wire, wire_works };

  std::uint16_t port_ = 0;  // 0: no ping is watched
  phase phase_ = phase::on_its_way;
  duration interval_{};
  time_point next_look_{};
  time_point there_since_{};
  std::uint64_t test_lies_beyond_ = 0;
};

}  // namespace rdsco::detail
