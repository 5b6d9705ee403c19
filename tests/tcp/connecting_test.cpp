// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: two connections cross and payload goes down with the one that dies; a larger address that never gets a connection;
// a tight loop against a peer that refuses. Forced by: both sides starting at once, again and again, and by scripted kernels that
// knock, wait to be asked, or reset whatever they accept.

#include "support/rig.hpp"

namespace {

using namespace rdsco;
using namespace rdsco::test;

constexpr std::uint64_t each_way = 20;

task<> send_some(socket& from, endpoint port) {
  for (std::uint64_t index = 0; index < each_way; ++index) {
    auto const payload = pattern(index, 64);
    auto const sent = co_await from.send_to(payload, port);
    REQUIRE(!sent.ec);
  }
}

task<> receive_some(socket& into) {
  for (std::uint64_t index = 0; index < each_way; ++index) {
    auto const got = co_await with_timeout(patience, into.receive());
    REQUIRE(!got.ec);
    REQUIRE(matches(got.data, index, 64));
  }
}

task<> duel(loop& where, int round) {
  node first = test::open(where, on_tcp("127.0.0.1"));
  node second = test::open(where, on_tcp("127.0.0.2"));
  socket left = bound(first, "127.0.0.1", 4000);
  socket right = bound(second, "127.0.0.2", 5000);
  task_group group(where);
  // Who is a moment ahead differs from round to round.
  if (round % 2 == 0) group.spawn(send_some(left, right.local()));
  group.spawn(send_some(right, left.local()));
  if (round % 2 != 0) group.spawn(send_some(left, right.local()));
  group.spawn(receive_some(left));
  group.spawn(receive_some(right));
  co_await group.join();
  REQUIRE(!left.try_receive().data);
  REQUIRE(!right.try_receive().data);
  auto const drained_left = co_await left.drain(patience);
  auto const drained_right = co_await right.drain(patience);
  REQUIRE(drained_left.data + drained_right.data == 0);
  co_await first.close();
  co_await second.close();
}

struct attempts {
  std::size_t made = 0;
  explicit attempts(std::function<void(scripted_peer&)> const& behave) {
    rig world(time_of::test);
    scripted_peer peer(at("127.0.0.2"), at("127.0.0.1"), tcp_port());
    behave(peer);
    world.add(peer);
    node here = test::open(world.where, on_tcp("127.0.0.1"));
    socket from = bound(here, "127.0.0.1", 4000);
    REQUIRE(!from.try_send_to(pattern(0, 10), to("127.0.0.2", 5000)));
    auto const start = world.clock.now();
    REQUIRE(world.until([&] { return world.clock.now() - start > 60s; }));
    made = peer.accepted() + here.counters().rdsco_connect_failed;
    from.close();
    world.close(here);
  }
};

}  // namespace

TEST_CASE("both sides start at once, fifty times: everything arrives once and in order") {
  loop where;
  for (int round = 0; round < 50; ++round) block_on(where, duel(where, round));
}

TEST_CASE("the larger address knocks with a connection that says nothing, and sends on the one it is answered with") {
  rig world;
  kernel_peer peer(at("127.0.0.1"), at("127.0.0.2"), tcp_port());
  peer.habits.announces_map = peer.habits.probes = false;
  world.add(peer);
  node here = test::open(world.where, on_tcp("127.0.0.2"));
  socket from = bound(here, "127.0.0.2", 4000);
  REQUIRE(!from.try_send_to(pattern(0, 10), to("127.0.0.1", 5000)));
  REQUIRE(world.until([&] { return peer.accepted() == 1 && peer.streams.back()->ended(); }));
  REQUIRE(peer.streams.back()->received == 0);
  REQUIRE(here.counters().rdsco_kick_sent >= 1);
  scripted_stream& answer = peer.connect();
  REQUIRE(world.until([&] { return peer.delivered.size() == 1; }));
  REQUIRE(answer.received > 0);
  for (auto const& each : peer.streams) REQUIRE((each.get() == &answer || each->received == 0));
  from.close();
  world.close(here);
}

TEST_CASE("the smaller address refuses a knock without a word and connects") {
  rig world;
  kernel_peer peer(at("127.0.0.2"), at("127.0.0.1"), tcp_port());
  peer.habits.announces_map = false;
  world.add(peer);
  node here = test::open(world.where, on_tcp("127.0.0.1"));
  socket into = bound(here, "127.0.0.1", 4000);
  scripted_stream& knock = peer.connect();
  REQUIRE(world.until([&] { return peer.accepted() == 1 && knock.ended(); }));
  REQUIRE(knock.received == 0);
  REQUIRE(here.counters().rdsco_accept_refused_order == 1);
  peer.send(5000, 4000, pattern(0, 10));
  std::vector<message> got;
  REQUIRE(world.until([&] { return !(got = take_all(into)).empty(); }));
  REQUIRE(matches(got[0], 0, 10));
  into.close();
  world.close(here);
}

TEST_CASE("a peer that accepts and resets is tried again and again, but ever less often") {
  attempts const count([](scripted_peer& peer) { peer.on_accept = [](scripted_stream& stream) { stream.reset(); }; });
  // Delays up to a second in the end: some 130 in a minute. Without a back-off there would be thousands.
  REQUIRE(count.made > 20);
  REQUIRE(count.made < 400);
}

TEST_CASE("a peer that accepts, ends the stream and says nothing likewise") {
  attempts const count([](scripted_peer& peer) { peer.on_accept = [](scripted_stream& stream) { stream.close(); }; });
  REQUIRE(count.made > 20);
  REQUIRE(count.made < 400);
}

TEST_CASE("a peer where nobody listens likewise") {
  attempts const count([](scripted_peer& peer) { peer.stop_listening(); });
  REQUIRE(count.made > 20);
  REQUIRE(count.made < 400);
}
