// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a restarted peer taken for a duplicate (loss), an old number taken for new (a datagram twice), or our own numbers
// starting below those of our last life. Forced by: a scripted kernel that restarts or lies about numbers, and a wall clock that
// goes back.

#include "support/rig.hpp"

namespace {

using namespace rdsco;
using namespace rdsco::test;

struct numbered : rig {
  numbered() : peer(at("127.0.0.1"), at("127.0.0.2"), tcp_port()) {
    peer.habits.answers_pings = false;  // its pongs would take numbers
    here = test::open(where, on_tcp("127.0.0.2"));
    into = bound(here, "127.0.0.2", 4000);
    add(peer);
    peer.connect();
  }
  ~numbered() {
    into.close();
    close(here);
  }

  void put(std::uint64_t number, std::uint64_t index, std::uint8_t flags = 0) {
    peer.next_sent = number;
    peer.send(5000, 4000, pattern(index, 10), flags);
  }
  /// Exactly these arrive, in this order, when nothing more can be on the way: the last one is sent behind all others.
  void arrives(std::vector<std::uint64_t> const& expected) {
    std::vector<message> got;
    REQUIRE(until([&] {
      for (auto& each : take_all(into)) got.push_back(std::move(each));
      return got.size() >= expected.size();
    }));
    REQUIRE(got.size() == expected.size());
    for (std::size_t at = 0; at < got.size(); ++at) REQUIRE(matches(got[at], expected[at], 10));
  }
  void reconnect() {
    peer.last()->finish();
    REQUIRE(until([&] { return peer.last()->ended(); }));
    peer.connect();
  }

  node here;
  socket into;
  kernel_peer peer;
};

std::uint64_t first_number_of_a_life(rig& world, node_options const& options, std::uint64_t& mark) {
  kernel_peer peer(at("127.0.0.2"), at("127.0.0.1"), options.tcp.port);
  world.add(peer);
  node here = test::open(world.where, options);
  socket from = bound(here, "127.0.0.1", 4000);
  REQUIRE(!from.try_send_to(pattern(0, 10), to("127.0.0.2", 5000)));
  REQUIRE(world.until([&] { return !peer.delivered.empty() && from.unacknowledged() == 0; }));
  std::uint64_t const first = peer.pings.at(0).head.sequence;
  REQUIRE(peer.delivered[0].head.sequence == first + 1);
  mark = here.sequence_mark();
  REQUIRE(mark > peer.delivered[0].head.sequence);
  from.close();
  world.close(here);
  world.remove(peer);
  return first;
}

}  // namespace

TEST_CASE("the numbers of a node begin above those of its last life") {
  rig world;
  std::uint64_t mark = 0;
  auto const first = first_number_of_a_life(world, on_tcp("127.0.0.1"), mark);
  auto const second = first_number_of_a_life(world, on_tcp("127.0.0.1"), mark);
  REQUIRE(first > 0);
  REQUIRE(second > first + 1);
}

TEST_CASE("with a mark kept across restarts they do so even if the wall clock goes back") {
  rig world(time_of::test);
  std::uint64_t mark = 0;
  auto const first = first_number_of_a_life(world, on_tcp("127.0.0.1"), mark);
  world.clock.wall_start_ns -= 3'600'000'000'000'000;
  node_options again = on_tcp("127.0.0.1");
  again.sequence_mark = mark;
  auto const second = first_number_of_a_life(world, again, mark);
  REQUIRE(second > first + 1);
}

TEST_CASE("an old number within a connection is dropped, flagged or not, and gaps are normal") {
  numbered world;
  world.put(7, 0);
  world.put(7, 1);
  world.put(3, 2);
  world.put(1, 3);
  world.put(6, 4, protocol::flag::retransmitted);
  world.put(8, 5);
  world.put(1'000'000'000'000'000'000, 6);
  world.put(9, 7);
  world.put(1'000'000'000'000'000'001, 8);
  world.arrives({0, 5, 6, 8});
  REQUIRE(world.here.counters().recv_drop_old_seq == 5);
}

TEST_CASE("number 1, unflagged and first on a new connection, is a restarted kernel: it and what follows is new") {
  numbered world;
  for (std::uint64_t number = 1; number <= 5; ++number) world.put(number, number);
  world.arrives({1, 2, 3, 4, 5});
  world.reconnect();
  for (std::uint64_t number = 1; number <= 3; ++number) world.put(number, 10 + number);
  world.arrives({11, 12, 13});
  REQUIRE(world.here.counters().rdsco_peer_restarted == 1);
  REQUIRE(world.here.counters().recv_drop_old_seq == 0);
}

TEST_CASE("a restarted kernel may begin above 1: messages that it took back have used up numbers") {
  numbered world;
  for (std::uint64_t number = 1; number <= 5; ++number) world.put(number, number);
  world.arrives({1, 2, 3, 4, 5});
  world.reconnect();
  world.put(2, 11);
  world.put(1, 12);
  world.put(3, 13);
  world.arrives({11, 13});
  REQUIRE(world.here.counters().recv_drop_old_seq == 1);
  REQUIRE(world.here.counters().rdsco_peer_restarted == 1);
}

TEST_CASE("a flagged number 1 on a new connection is a retransmission, not a restart") {
  numbered world;
  for (std::uint64_t number = 1; number <= 2; ++number) world.put(number, number);
  world.arrives({1, 2});
  world.reconnect();
  world.put(1, 11, protocol::flag::retransmitted);
  world.put(2, 12, protocol::flag::retransmitted);
  world.put(3, 13);
  world.arrives({13});
  REQUIRE(world.here.counters().recv_drop_old_seq == 2);
}

TEST_CASE("the highest number of all stops nothing") {
  numbered world;
  world.put(~std::uint64_t{0}, 1);
  world.put(1, 2);
  world.put(2, 3);
  world.arrives({1, 2, 3});
}
