// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a peer that is not read although its acknowledgements are what its reader waits for; a peer that is read again only
// when nearly everything was consumed; one peer that fills the node's memory through many sockets, so that nobody is read.
// And a peer in the middle of a message that is closed as too slow while it is we who do not read.
// Forced by: a flood with nothing but default options at one socket that echoes; readers that take one datagram at a time; many
// sockets that nobody reads; memory that is full for longer than a message may take.

#include "node/node_core.hpp"
#include "support/rig.hpp"

#include <rdsco/sleep.hpp>

#include <memory>

namespace {

using namespace rdsco;
using namespace rdsco::test;

task<> echo(socket& sock) {
  for (;;) {
    auto got = co_await sock.receive();
    if (got.ec) co_return;
    auto const sent = co_await sock.send_to(got.data.payload(), got.data.from());
    if (sent.ec) co_return;
  }
}

constexpr std::size_t large = 64 * 1024;

task<> flood(socket& from, endpoint there, std::size_t count) {
  auto const payload = pattern(1, large);
  for (std::size_t i = 0; i < count; ++i) {
    auto const sent = co_await from.send_to(payload, there);
    if (sent.ec) co_return;
  }
}

task<> count_answers(socket& into, std::size_t count, std::size_t& total) {
  for (std::size_t i = 0; i < count; ++i) {
    auto const got = co_await into.receive();
    if (got.ec || got.data.size() != large) co_return;
    ++total;
  }
}

task<> ask(socket& from, endpoint there, std::size_t count, std::size_t& answered) {
  for (std::size_t i = 0; i < count; ++i) {
    co_await flood(from, there, 1);
    co_await count_answers(from, 1, answered);
  }
}

std::uint64_t stops(node& of) { return of.counters().rdsco_reading_stopped; }

}  // namespace

TEST_CASE("eight sockets flood one that echoes, with default options: everything is echoed") {
  constexpr std::size_t clients = 8, each = 64;
  loop where;
  node near = test::open(where, on_tcp("127.0.0.1")), far = test::open(where, on_tcp("127.0.0.2"));
  socket server = bound(far, "127.0.0.2", 4000);
  std::vector<socket> sockets;
  for (std::size_t i = 0; i < clients; ++i) sockets.push_back(bound(near, "127.0.0.1"));
  std::size_t answered = 0;
  auto const run = [&]() -> task<result<>> {
    task_group group(where);
    for (socket& one : sockets) {
      group.spawn(flood(one, server.local(), each));
      group.spawn(count_answers(one, each, answered));
    }
    // The flood comes first: all of it that is sent ahead lies unread at the server.
    result<> slept;
    while (stops(far) == 0 && far.counters().recv_queued < clients * each / 2 && !slept.ec) slept = co_await sleep(1ms);
    group.spawn(echo(server));
    while (answered < clients * each && !slept.ec) slept = co_await sleep(1ms);
    group.stop();
    co_await group.join();
    co_return slept;
  };
  auto const ended = block_on(where, with_timeout(patience, run()));
  CHECK(!ended.ec);
  CHECK(answered == clients * each);
  sockets.clear();
  server.close();
  block_on(where, near.close());
  block_on(where, far.close());
}

namespace {

// A kernel over which reading can be stopped, with numbers small enough to count.
struct from_a_kernel : rig {
  explicit from_a_kernel(node_options const& options, socket_options const& buffers = {}, time_of which = time_of::system)
      : rig(which), peer(at("127.0.0.1"), at("127.0.0.2"), options.tcp.port) {
    here = test::open(where, options);
    into = bound(here, "127.0.0.2", 4000, buffers);
    add(peer);
  }
  ~from_a_kernel() {
    into.close();
    remove(peer);
    close(here);
  }
  node here;
  socket into;
  kernel_peer peer;
};

constexpr std::size_t small = 1000;

}  // namespace

TEST_CASE("a peer is read again once its excess is half consumed, whichever datagrams are consumed") {
  node_options options = on_tcp("127.0.0.2");
  options.limits.unread_bytes_per_peer = 20'000;
  options.tcp.pong_patience = 1h;
  socket_options buffers;
  buffers.receive_buffer = 100'000;
  from_a_kernel world(options, buffers);
  world.peer.connect();
  REQUIRE(world.until([&] {
    auto const known = world.here.tables().connections;
    return !known.empty() && known[0].acknowledged_by == "pongs";
  }));
  constexpr std::uint64_t count = 20'000;
  for (std::uint64_t index = 0; index < count; ++index) world.peer.send(5000, 4000, pattern(index, small));
  REQUIRE(world.until([&] { return stops(world.here) == 1; }));
  for (int turn = 0; turn < 1000; ++turn) world.turn();
  auto const queued = world.here.counters().recv_queued;
  // Above 400 of the cap, what one read brings lies beyond the peer's 20. Where only ten are left of that, the peer is read.
  in_order got(small);
  std::uint64_t taken = 0;
  for (; taken + 408 < queued; ++taken) REQUIRE(matches(world.into.try_receive().data, taken, small));
  REQUIRE(world.until([&] { return world.here.counters().recv_queued > queued; }));
  in_order rest(small, taken);
  REQUIRE(world.until([&] { return rest.take_from(world.into) >= count; }));
  REQUIRE(rest.wrong() == 0);
}

TEST_CASE("one peer with many unread sockets is stopped at its share, and another peer goes on") {
  constexpr std::size_t sockets = 24, each = 15;  // of large ones: under the cap of any one socket
  loop where;
  node_options options = on_tcp("127.0.0.3");
  options.limits.memory_bytes = 16u << 20;
  node victim = test::open(where, options), greedy = test::open(where, on_tcp("127.0.0.1")), modest = test::open(where, on_tcp("127.0.0.2"));
  std::vector<socket> unread;
  for (std::size_t i = 0; i < sockets; ++i) unread.push_back(bound(victim, "127.0.0.3"));
  socket service = bound(victim, "127.0.0.3", 4000), client = bound(modest, "127.0.0.2");
  std::vector<socket> sources;
  for (std::size_t i = 0; i < sockets; ++i) sources.push_back(bound(greedy, "127.0.0.1"));
  auto const run = [&]() -> task<result<>> {
    task_group group(where);
    for (std::size_t i = 0; i < sockets; ++i) group.spawn(flood(sources[i], unread[i].local(), each));
    group.spawn(echo(service));
    // Until nothing more of the flood is taken.
    result<> slept;
    std::uint64_t before = 0;
    for (int unchanged = 0; unchanged < 50 && !slept.ec; ++unchanged) {
      slept = co_await sleep(1ms);
      std::uint64_t const now = victim.counters().recv_queued;
      if (now != before) unchanged = 0;
      before = now;
    }
    CHECK(victim.memory_in_use() < (8u << 20));
    CHECK(victim.counters().rdsco_reading_stopped_share > 0);
    std::size_t answered = 0;
    group.spawn(ask(client, service.local(), 100, answered));
    while (answered < 100 && !slept.ec) slept = co_await sleep(1ms);
    CHECK(answered == 100);
    // What was held back comes when the sockets are read.
    std::size_t got = 0;
    while (got < sockets * each && !slept.ec) {
      slept = co_await sleep(1ms);
      for (socket& one : unread) got += take_all(one).size();
    }
    CHECK(got == sockets * each);
    group.stop();
    co_await group.join();
    co_return slept;
  };
  auto const ended = block_on(where, with_timeout(patience, run()));
  CHECK(!ended.ec);
  unread.clear();
  sources.clear();
  service.close();
  client.close();
  for (node* const one : {&victim, &greedy, &modest}) block_on(where, one->close());
}

TEST_CASE("memory is full while a message is half there: its peer is not too slow, and the rest arrives") {
  node_options options = on_tcp("127.0.0.2");
  options.limits.memory_bytes = 5u << 20;
  options.limits.partial_message = 200ms;
  from_a_kernel world(options, {}, time_of::test);
  world.peer.connect();
  REQUIRE(world.until([&] { return !world.peer.maps.empty(); }));
  constexpr std::size_t bytes_in_all = 300'000;  // more than a receive that is under way already brings
  auto const payload = pattern(0, bytes_in_all);
  protocol::header head;
  head.sequence = world.peer.next_sent++;
  head.length = bytes_in_all;
  head.source_port = 5000;
  head.destination_port = 4000;
  auto const bytes = bytes_of(head, payload);
  auto const half = std::span(bytes).first(1000);
  world.peer.last()->put(half);
  auto const inside = [&] {
    auto const rows = world.here.tables().tcp_sockets;
    return !rows.empty() && rows[0].data_remaining > 0;
  };
  REQUIRE(world.until(inside));
  detail::datagram* const filling = detail::datagram::make(*world.here.core().pool, (5u << 19) + 1000);
  REQUIRE(filling != nullptr);
  world.peer.last()->put(std::span(bytes).subspan(1000));
  auto const long_after = world.clock.now() + 4 * options.limits.partial_message;
  REQUIRE(world.until([&] { return world.clock.now() > long_after; }));
  CHECK(inside());
  CHECK(world.here.counters().rdsco_drop_partial_timeout == 0);
  detail::datagram::free(filling);
  in_order got(bytes_in_all);
  REQUIRE(world.until([&] { return got.take_from(world.into) == 1; }));
  CHECK(got.wrong() == 0);
}
