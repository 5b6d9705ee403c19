// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a wire that is cut, or a kernel that is slow, is taken for one with pings switched off; then its TCP is believed, and
// what its RDS never took is gone. Forced by: a peer in memory that says nothing, or answered once, on a wire that falls silent.

#include "transports/tcp/pong_watch.hpp"

#include "protocol/multipath.hpp"
#include "support/memory_backend.hpp"
#include "support/nodes.hpp"
#include "support/scripted_stream.hpp"

#include <array>

namespace {

using namespace rdsco;
using namespace rdsco::test;
using detail::pong_watch;

/// A host whose TCP takes everything; its RDS says what the test says.
class quiet_host {
 public:
  quiet_host(loop& where, endpoint const& at) : io_(where.io()) {
    REQUIRE(io_.listen(at, 8, listener_) == 0);
    io_.accept(listener_, detail::stream_tuning(), accepting_);
  }
  ~quiet_host() {
    // A loop waits for what it started, and nobody will connect any more.
    io_.cancel(accepting_);
    while (accepting_.in_flight) static_cast<void>(io_.poll_completions());
    for (detail::io_handle const each : streams_) io_.close(each, true);
    io_.close(listener_, false);
  }
  quiet_host(quiet_host const&) = delete;
  quiet_host& operator=(quiet_host const&) = delete;

  /// Takes what has connected and throws away what was said.
  void pump() {
    if (!accepting_.in_flight && accepting_.result >= 0) {
      streams_.push_back(accepting_.stream);
      io_.accept(listener_, detail::stream_tuning(), accepting_);
    }
    std::array<std::byte, 4096> scratch{};
    std::array<mutable_buffer, 1> const into{mutable_buffer(scratch)};
    for (detail::io_handle const each : streams_)
      while (io_.try_receive(each, into) > 0) continue;
  }
  void say(protocol::header const& head) {
    auto const bytes = bytes_of(head);
    std::array<const_buffer, 1> const from{const_buffer(bytes)};
    REQUIRE(io_.try_send(streams_.back(), from) == static_cast<std::ptrdiff_t>(bytes.size()));
  }
  [[nodiscard]] std::size_t connections() const { return streams_.size(); }

 private:
  detail::io_backend& io_;
  detail::io_handle listener_;
  detail::accept_operation accepting_{[](detail::io_operation&) noexcept {}};
  std::vector<detail::io_handle> streams_;
};

struct world {
  manual_clock clock;
  memory_network network{clock};
  loop here{loop_options(), memory_seams(network)};
  loop there{loop_options(), memory_seams(network)};
  node own;
  socket from;
  quiet_host peer{there, to("10.0.0.2", 16385)};

  world() {
    node_options options;
    options.own(at("10.0.0.1")).allow(net("10.0.0.0/24"));
    own = test::open(here, options);
    from = bound(own, "10.0.0.1", 4000);
  }
  ~world() {
    from.close();
    task_group group(here);
    group.spawn([](node& closing) -> task<> { static_cast<void>(co_await closing.close(0ns)); }(own));
    REQUIRE(run([&] { return group.size() == 0; }));
  }

  template <class Done>
  [[nodiscard]] bool run(Done done) {
    std::array<loop*, 2> const both{&here, &there};
    return run_together(network, both, [&] {
      peer.pump();
      return done();
    });
  }
  void pass(duration length) {
    auto const end = clock.now() + length;
    REQUIRE(run([&] { return clock.now() >= end; }));
  }
  void cut(bool on) { network.silence(at("10.0.0.1"), at("10.0.0.2"), on); }
  void send(std::uint64_t index) { REQUIRE(!from.try_send_to(pattern(index, 100), to("10.0.0.2", 5000))); }
};

protocol::header kernel_probe_pong() {
  protocol::header made;
  made.sequence = 1;
  made.source_port = 0;
  made.destination_port = protocol::probe_port;
  made.extensions = {std::byte{5}, std::byte{0}, std::byte{8}};
  return made;
}

protocol::header empty_datagram(std::uint64_t sequence) {
  protocol::header made;
  made.sequence = sequence;
  made.source_port = 5000;
  made.destination_port = 4000;
  return made;
}

pong_watch::look_at seen(bool there, std::uint64_t taken, std::uint64_t put) { return {there, taken, put}; }

}  // namespace

TEST_CASE("a ping counts as unanswered once the wire was tested and the answer had as much time again") {
  manual_clock clock;
  pong_watch watch;
  watch.start(1, clock.now(), 1s);
  auto const begin = clock.now();
  REQUIRE(watch.look(begin + 1s, seen(false, 0, 48)) == pong_watch::step::wait);
  REQUIRE(watch.look(begin + 2s, seen(true, 48, 48)) == pong_watch::step::wait);
  REQUIRE(watch.look(begin + 3s, seen(true, 48, 100)) == pong_watch::step::test_wire);
  // What was in the stream before the test proves nothing about the wire after it.
  REQUIRE(watch.look(begin + 4s, seen(true, 100, 148)) == pong_watch::step::wait);
  REQUIRE(watch.look(begin + 9s, seen(true, 100, 148)) == pong_watch::step::wait);
  REQUIRE(watch.look(begin + 12s, seen(true, 101, 148)) == pong_watch::step::wait);
  REQUIRE(watch.next_look() == begin + 22s);
  REQUIRE(watch.look(begin + 22s, seen(true, 148, 148)) == pong_watch::step::unanswered);
}

TEST_CASE("while the peer is not read nothing counts as unanswered, and another ping begins anew") {
  manual_clock clock;
  pong_watch watch;
  watch.start(1, clock.now(), 1s);
  auto now = clock.now();
  auto const look = [&](bool there, std::uint64_t taken) { return watch.look(now += 1s, seen(there, taken, 50)); };
  REQUIRE(look(true, 50) == pong_watch::step::wait);
  REQUIRE(look(true, 50) == pong_watch::step::test_wire);
  REQUIRE(look(true, 51) == pong_watch::step::wait);
  REQUIRE(look(false, 51) == pong_watch::step::wait);
  REQUIRE(look(true, 51) == pong_watch::step::wait);
  REQUIRE(look(true, 51) == pong_watch::step::test_wire);
  watch.start(65520, now, 1s);
  REQUIRE(look(true, 51) == pong_watch::step::wait);
  REQUIRE(look(true, 51) == pong_watch::step::test_wire);
}

TEST_CASE("a peer whose TCP has everything and that answers no ping is believed, on a wire that works") {
  world w;
  w.send(0);
  REQUIRE(w.run([&] { return w.from.unacknowledged() == 0; }));
  REQUIRE(w.own.counters().rdsco_retired_by_tcp >= 1);
  REQUIRE(w.peer.connections() == 1);
}

TEST_CASE("a wire that is cut after TCP took the ping is no peer without pings, however long it is cut") {
  world w;
  w.send(0);
  REQUIRE(w.run([&] { return w.peer.connections() == 1; }));
  w.pass(1s);
  w.cut(true);
  w.pass(1h);
  REQUIRE(w.own.counters().rdsco_retired_by_tcp == 0);
  REQUIRE(w.from.unacknowledged() == 1);
  // Joined again, with a peer that answers: nothing was believed.
  w.cut(false);
  w.peer.say(kernel_probe_pong());
  w.pass(1s);
  REQUIRE(w.own.counters().rdsco_retired_by_tcp == 0);
  REQUIRE(w.own.tables().connections.at(0).acknowledged_by == "pongs");
}

TEST_CASE("a peer that answered and stopped is asked on another connection; its TCP is not believed on this one") {
  world w;
  w.send(0);
  REQUIRE(w.run([&] { return w.peer.connections() == 1; }));
  w.pass(1s);
  w.peer.say(kernel_probe_pong());
  REQUIRE(w.run([&] { return w.own.counters().rdsco_pong_overdue == 1; }));
  REQUIRE(w.own.counters().rdsco_retired_by_tcp == 0);
  REQUIRE(w.from.unacknowledged() == 1);
  // There it answers nothing at all: pings are switched off.
  REQUIRE(w.run([&] { return w.from.unacknowledged() == 0; }));
  REQUIRE(w.peer.connections() == 2);
  REQUIRE(w.own.counters().rdsco_retransmitted == 1);
  REQUIRE(w.own.counters().rdsco_retired_by_tcp >= 1);
}

TEST_CASE("what a peer still sends on a connection that we end is taken: its TCP has our acknowledgement") {
  world w;
  w.send(0);
  REQUIRE(w.run([&] { return w.peer.connections() == 1; }));
  w.pass(1s);
  w.peer.say(kernel_probe_pong());
  REQUIRE(w.run([&] { return w.own.counters().rdsco_pong_overdue == 1; }));
  w.pass(1s);
  REQUIRE(w.peer.connections() == 1);
  w.peer.say(empty_datagram(2));
  REQUIRE(w.run([&] { return !w.from.try_receive().ec; }));
  REQUIRE(w.peer.connections() == 1);
  REQUIRE(w.run([&] { return w.peer.connections() == 2; }));
}
