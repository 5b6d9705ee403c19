// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a fresh number before an old one (the peer then drops the old ones as duplicates), or a datagram retired that the
// peer's RDS layer does not have. Forced by: a scripted kernel that resets, keeps back pongs, or sends the wrong ones.

#include "support/rig.hpp"

namespace {

using namespace rdsco;
using namespace rdsco::test;

constexpr std::uint16_t first_acknowledgement_port = 65520;

struct to_a_kernel : rig {
  explicit to_a_kernel(kernel_habits habits = {}, std::chrono::nanoseconds pong_patience = 1h, time_of which = time_of::system)
      : rig(which), peer(at("127.0.0.2"), at("127.0.0.1"), tcp_port(), habits) {
    node_options options = on_tcp("127.0.0.1");
    options.tcp.pong_patience = pong_patience;
    if (which == time_of::test) options.tcp.acknowledge_within = 100ms;  // fewer deadlines to go through
    here = test::open(where, options);
    from = bound(here, "127.0.0.1", 4000);
    add(peer);
  }
  ~to_a_kernel() {
    from.close();
    close(here);
  }

  void send(std::uint64_t first, std::uint64_t count) {
    for (std::uint64_t index = first; index < first + count; ++index)
      REQUIRE(!from.try_send_to(pattern(index, 100), to("127.0.0.2", 5000)));
  }
  [[nodiscard]] bool until_delivered(std::size_t count) {
    return until([&] { return peer.delivered.size() >= count; });
  }
  /// Something that arrives behind what is to have no effect.
  void barrier() {
    peer.send(5000, 4000, pattern(0, 8));
    bool arrived = false;
    REQUIRE(until([&] { return arrived = arrived || !take_all(from).empty(); }));
  }
  [[nodiscard]] frame last_ping() { return peer.pings.back(); }
  void pong(std::uint16_t port, std::uint8_t flags = 0) { peer.send(0, port, {}, flags); }

  node here;
  socket from;
  kernel_peer peer;
};

kernel_habits silent() {
  kernel_habits made;
  made.answers_pings = false;
  return made;
}

bool is_probe(protocol::header const& head) { return head.source_port == 1 && head.destination_port == 0; }

}  // namespace

TEST_CASE("after a reset come the map, the retransmissions in order and flagged, the probe, and only then fresh numbers") {
  to_a_kernel world(silent());
  world.send(0, 5);
  REQUIRE(world.until_delivered(5));
  world.peer.last()->reset();
  world.send(5, 3);
  REQUIRE(world.until_delivered(8));
  auto const& again = world.peer.last()->frames;
  REQUIRE(world.peer.streams.size() == 2);
  REQUIRE(again.size() == 1 + 5 + 1 + 3);
  REQUIRE(again[0].head.flags == 0x01);
  for (std::size_t at = 1; at <= 5; ++at) {
    REQUIRE(again[at].head.flags == 0x04);
    REQUIRE(again[at].head.sequence == world.peer.delivered[at - 1].head.sequence);
  }
  REQUIRE(is_probe(again[6].head));
  for (std::size_t at = 6; at < again.size(); ++at) {
    REQUIRE(again[at].head.flags == 0);
    REQUIRE(again[at].head.sequence > again[at - 1].head.sequence);
  }
  REQUIRE(world.peer.duplicates == 5);
  REQUIRE(world.here.counters().rdsco_retransmitted == 5);
  for (std::size_t index = 0; index < 8; ++index) REQUIRE(world.peer.delivered[index].payload == pattern(index, 100));
}

TEST_CASE("what TCP acknowledged is kept, and sent again after a reset, until a pong comes on that connection") {
  to_a_kernel world(silent());
  world.send(0, 5);
  REQUIRE(world.until_delivered(5));
  world.barrier();
  REQUIRE(world.from.unacknowledged() == 5);
  world.peer.habits.answers_pings = true;
  world.peer.last()->reset();
  REQUIRE(world.until([&] { return world.from.unacknowledged() == 0; }));
  REQUIRE(world.peer.duplicates == 5);
  REQUIRE(world.peer.delivered.size() == 5);
  REQUIRE(world.here.counters().rdsco_retired_by_pong >= 5);
  REQUIRE(world.here.counters().rdsco_retired_by_tcp == 0);
}

TEST_CASE("neither a flagged pong, nor one to another port, nor one that was not asked for retires anything") {
  to_a_kernel world(silent());
  world.send(0, 1);
  REQUIRE(world.until_delivered(1));
  world.pong(1);
  // The connection now counts as one to a kernel, which is asked for a pong.
  REQUIRE(world.until([&] { return world.last_ping().head.source_port >= first_acknowledgement_port; }));
  std::uint16_t const expected = world.last_ping().head.source_port;
  world.pong(expected, protocol::flag::retransmitted);
  world.pong(expected == 65535 ? first_acknowledgement_port : static_cast<std::uint16_t>(expected + 1));
  world.pong(1);
  world.pong(4000);
  world.barrier();
  REQUIRE(world.here.counters().rdsco_drop_unrequested_pong == 4);
  REQUIRE(world.from.unacknowledged() == 1);
  world.pong(expected);
  REQUIRE(world.until([&] { return world.from.unacknowledged() == 0; }));
}

TEST_CASE("a pong to the probe of an earlier connection retires nothing that was sent again since") {
  to_a_kernel world(silent());
  world.send(0, 1);
  REQUIRE(world.until_delivered(1));
  world.peer.last()->reset();
  // A kernel that had not sent its pong yet sends it on the next connection, unflagged, and before it takes anything there.
  world.peer.on_accept = [](scripted_stream& stream) { stream.read_limit = 0; };
  REQUIRE(world.until([&] { return world.peer.streams.size() == 2; }));
  world.pong(1);
  world.barrier();
  REQUIRE(world.from.unacknowledged() == 1);
  // The second connection breaks as well; the peer has seen nothing of it.
  world.peer.on_accept = nullptr;
  world.peer.last()->reset();
  world.peer.habits.answers_pings = true;
  REQUIRE(world.until([&] { return world.from.unacknowledged() == 0; }));
  REQUIRE(world.peer.duplicates == 1);
}

TEST_CASE("each pong retires what was sent before its ping, and no more") {
  to_a_kernel world(silent());
  world.send(0, 3);
  REQUIRE(world.until_delivered(3));
  world.pong(1);
  REQUIRE(world.until([&] { return world.last_ping().head.source_port >= first_acknowledgement_port; }));
  world.send(3, 2);
  REQUIRE(world.until_delivered(5));
  world.pong(world.last_ping().head.source_port);
  REQUIRE(world.until([&] { return world.from.unacknowledged() == 2; }));
}

TEST_CASE("a kernel that answers no ping is believed by its TCP, after the patience, and that is counted") {
  to_a_kernel world(silent(), 10s, time_of::test);
  world.send(0, 5);
  REQUIRE(world.until([&] { return world.from.unacknowledged() == 0; }));
  REQUIRE(world.here.counters().rdsco_retired_by_tcp >= 5);
  REQUIRE(world.here.tables().connections.at(0).acknowledged_by == "transport");
}

TEST_CASE("a kernel that answers no ping and whose TCP is full is believed for what its TCP has, no more and no less") {
  to_a_kernel world(silent(), 10s, time_of::test);
  world.peer.receive_buffer = 64 * 1024;
  world.peer.on_accept = [](scripted_stream& stream) { stream.read_limit = 0; };
  std::vector<std::byte> const large = pattern(0, 1 << 20);
  REQUIRE(!world.from.try_send_to(large, to("127.0.0.2", 5000)));
  REQUIRE(!world.from.try_send_to(large, to("127.0.0.2", 5000)));
  auto const start = world.clock.now();
  REQUIRE(world.until([&] { return world.clock.now() - start > 20s; }));
  REQUIRE(world.from.unacknowledged() == 2);
  world.peer.last()->read_limit = ~std::size_t{0};
  REQUIRE(world.until([&] { return world.from.unacknowledged() == 0; }));
  REQUIRE(world.peer.delivered.size() == 2);
}
