// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a kernel is shown something no kernel sends, or two nodes fail to understand each other's acknowledgements and
// retire too early or never. Forced by: every byte that a scripted kernel gets is checked, and a scripted node acknowledges by hand.

#include "support/rig.hpp"

#include "protocol/kind.hpp"
#include "protocol/multipath.hpp"

#include <algorithm>

namespace {

using namespace rdsco;
using namespace rdsco::test;
using protocol::header;

std::string extensions_text(header const& head) {
  std::string made;
  for (std::byte const each : head.extensions) {
    constexpr char digits[] = "0123456789abcdef";
    made += digits[std::to_integer<unsigned>(each) >> 4];
    made += digits[std::to_integer<unsigned>(each) & 15];
  }
  return made;
}

// One path, rdsco's own extension of version 1 with ack frames and a generation, and nothing behind it.
bool announces_a_node(header const& head) {
  std::string const text = extensions_text(head);
  return text.starts_with("050001d50101") && text.ends_with("000000000000") && text.substr(12, 8) != "00000000";
}

/// Why a kernel would wonder about a frame; empty where it would not.
std::string oddity(frame const& one) {
  header const& head = one.head;
  header plain;
  plain.sequence = head.sequence;
  plain.length = head.length;
  plain.source_port = head.source_port;
  plain.destination_port = head.destination_port;
  plain.flags = head.flags;
  plain.extensions = head.extensions;
  if (!one.canonical || plain != head) return "an acknowledgement, credit, checksum or padding";
  if (head.flags == protocol::flag::congestion_bitmap) {
    bool const fine = head.sequence == 0 && head.length == 8192 && head.source_port == 0 && head.destination_port == 0;
    return fine && extensions_text(head) == std::string(32, '0') ? "" : "a congestion map with a number, a port or an extension";
  }
  if (head.sequence == 0) return "a frame without a number";
  if ((head.flags & ~protocol::flag::retransmitted) != 0) return "a flag";
  auto const kind = protocol::classify(head, protocol::frame_rules{});
  bool const probing = kind == protocol::frame_kind::probe || kind == protocol::frame_kind::probe_pong;
  if (probing) return announces_a_node(head) && head.length == 0 ? "" : "a probe of another kind";
  if (extensions_text(head) != std::string(32, '0')) return "an extension";
  if (kind == protocol::frame_kind::data) return "";
  bool const pinging = kind == protocol::frame_kind::ping || kind == protocol::frame_kind::pong;
  return pinging && head.length == 0 ? "" : "something that is neither data nor ping nor pong";
}

void check_what_a_kernel_sees(scripted_peer& peer) {
  std::size_t checked = 0;
  for (auto const& stream : peer.streams) {
    for (frame const& each : stream->frames) {
      INFO(extensions_text(each.head) << " flags " << int(each.head.flags) << " from " << each.head.source_port << " to "
                                      << each.head.destination_port);
      REQUIRE(oddity(each) == "");
      ++checked;
    }
  }
  REQUIRE(checked > 10);
}

/// Traffic of every kind with a kernel, a reset in the middle included.
void talk_to_a_kernel(std::string_view host, std::string_view peer_host) {
  rig world;
  kernel_peer peer(at(peer_host), at(host), tcp_port());
  world.add(peer);
  node here = test::open(world.where, on_tcp(host));
  socket_options buffers;
  buffers.receive_buffer = 500;
  socket mine = bound(here, host, 4000, buffers);
  endpoint const port = to(peer_host, 5000);
  bool const connects = host < peer_host;
  if (!connects) peer.connect();
  auto const exchange = [&](std::uint64_t first) {
    for (std::uint64_t index = first; index < first + 10; ++index) REQUIRE(!mine.try_send_to(pattern(index, index * 1000), port));
    REQUIRE(!mine.try_send_to({}, to(peer_host, 0)));
    REQUIRE(world.until([&] { return peer.delivered.size() == first + 10 && mine.unacknowledged() == 0; }));
    for (std::uint64_t index = 0; index < 10; ++index) peer.send(5000, 4000, pattern(index, 100));
    peer.send(5000, 0, {});
    REQUIRE(world.until([&] { return std::ranges::any_of(peer.pongs, [](frame const& each) { return each.head.destination_port == 5000; }); }));
    peer.pongs.clear();
    REQUIRE(world.until([&] { return take_all(mine).size() >= 10 || mine.try_receive().ec; }));
  };
  exchange(0);
  REQUIRE(!mine.try_send_to(pattern(10, 10), port));
  peer.last()->reset();
  if (!connects) peer.connect();
  REQUIRE(world.until([&] { return peer.delivered.size() == 11 && mine.unacknowledged() == 0; }));
  REQUIRE(here.tables().connections.at(0).acknowledged_by == "pongs");
  mine.close();
  world.close(here);
  check_what_a_kernel_sees(peer);
}

/// A scripted node with the larger address that announces itself as one of ours.
struct to_a_node : rig {
  to_a_node() : peer(at("127.0.0.2"), at("127.0.0.1"), tcp_port()) {
    peer.habits.probes = peer.habits.answers_pings = false;
    here = test::open(where, on_tcp("127.0.0.1"));
    mine = bound(here, "127.0.0.1", 4000);
    add(peer);
    REQUIRE(!mine.try_send_to(pattern(0, 100), to("127.0.0.2", 5000)));
    REQUIRE(until([&] { return peer.delivered.size() == 1; }));
    announce();
  }
  ~to_a_node() {
    mine.close();
    close(here);
  }

  void announce() {
    protocol::node_extension self;
    self.features = protocol::node_feature::ack_frames;
    self.generation = 7;
    header probe = protocol::make_probe(self);
    probe.sequence = peer.next_sent++;
    peer.last()->put(probe);
    REQUIRE(until([&] { return here.tables().connections.at(0).acknowledged_by == "frames"; }));
  }
  void acknowledge(std::uint64_t number) {
    header head;
    head.ack = number;
    peer.last()->put(head);
  }
  [[nodiscard]] std::vector<header> ack_frames() {
    std::vector<header> found;
    for (frame const& each : peer.last()->frames)
      if (each.head.sequence == 0 && each.head.flags == 0) found.push_back(each.head);
    return found;
  }

  node here;
  socket mine;
  kernel_peer peer;
};

}  // namespace

TEST_CASE("a kernel with the larger address sees nothing that a kernel would not send, but the end of the probe") {
  talk_to_a_kernel("127.0.0.1", "127.0.0.2");
}

TEST_CASE("a kernel with the smaller address likewise") { talk_to_a_kernel("127.0.0.2", "127.0.0.1"); }

TEST_CASE("what arrives from another node is acknowledged by a frame that is nothing else") {
  to_a_node world;
  world.peer.send(5000, 4000, pattern(0, 10));
  std::uint64_t const last = world.peer.next_sent - 1;
  REQUIRE(world.until([&] {
    auto const found = world.ack_frames();
    return !found.empty() && found.back().ack == last;
  }));
  header expected;
  expected.ack = last;
  REQUIRE(world.ack_frames().back() == expected);
  REQUIRE(world.here.counters().rdsco_ack_frames_sent >= 1);
  REQUIRE(world.here.counters().rdsco_ack_pings_sent == 0);
}

TEST_CASE("an acknowledgement rides on what is sent anyway, and is then not sent alone") {
  to_a_node world;
  auto const alone = [&] { return world.here.counters().rdsco_ack_frames_sent; };
  // The answer to the probe takes the first one along.
  REQUIRE(world.until([&] { return std::ranges::any_of(world.peer.last()->frames, [](frame const& each) { return each.head.ack == 1; }); }));
  auto const before = alone();
  world.peer.send(5000, 4000, pattern(0, 10));
  std::uint64_t const last = world.peer.next_sent - 1;
  std::vector<message> got;
  auto const answered = [&] {
    got = take_all(world.mine);
    if (got.empty()) return false;
    REQUIRE(!world.mine.try_send_to(pattern(1, 100), to("127.0.0.2", 5000)));
    return true;
  };
  REQUIRE(world.until(answered));
  REQUIRE(world.until([&] { return world.peer.delivered.size() == 2; }));
  REQUIRE(world.peer.delivered[1].head.ack == last);
  REQUIRE(alone() == before);
}

TEST_CASE("an acknowledgement retires up to its number; an older one or a repeated one changes nothing") {
  to_a_node world;
  for (std::uint64_t index = 1; index < 5; ++index) REQUIRE(!world.mine.try_send_to(pattern(index, 100), to("127.0.0.2", 5000)));
  REQUIRE(world.until([&] { return world.peer.delivered.size() == 5; }));
  world.acknowledge(world.peer.delivered[2].head.sequence);
  REQUIRE(world.until([&] { return world.mine.unacknowledged() == 2; }));
  world.acknowledge(world.peer.delivered[0].head.sequence);
  world.acknowledge(world.peer.delivered[2].head.sequence);
  world.acknowledge(world.peer.delivered[3].head.sequence);
  REQUIRE(world.until([&] { return world.mine.unacknowledged() == 1; }));
  world.acknowledge(world.peer.delivered[4].head.sequence);
  REQUIRE(world.until([&] { return world.mine.unacknowledged() == 0; }));
  REQUIRE(world.here.counters().rdsco_retired_by_ack >= 5);
  REQUIRE(world.here.counters().conn_reset == 0);
}

TEST_CASE("an acknowledgement of what was never sent resets the connection and retires nothing") {
  to_a_node world;
  world.acknowledge(world.peer.delivered[0].head.sequence + 1000);
  REQUIRE(world.until([&] { return world.peer.streams.size() == 2; }));
  REQUIRE(world.peer.streams[0]->was_reset());
  REQUIRE(world.here.counters().rdsco_ack_future == 1);
  REQUIRE(world.mine.unacknowledged() == 1);
  REQUIRE(world.until([&] { return world.peer.duplicates == 1; }));
  world.announce();
  world.acknowledge(world.peer.delivered[0].head.sequence);
  REQUIRE(world.until([&] { return world.mine.unacknowledged() == 0; }));
}

TEST_CASE("the same frame from a peer that has not announced itself means nothing") {
  rig world;
  kernel_peer peer(at("127.0.0.2"), at("127.0.0.1"), tcp_port());
  peer.habits.answers_pings = false;
  world.add(peer);
  node here = test::open(world.where, on_tcp("127.0.0.1"));
  socket mine = bound(here, "127.0.0.1", 4000);
  REQUIRE(!mine.try_send_to(pattern(0, 100), to("127.0.0.2", 5000)));
  REQUIRE(world.until([&] { return peer.delivered.size() == 1; }));
  header head;
  head.ack = peer.delivered[0].head.sequence;
  peer.last()->put(head);
  head.ack += 1000;
  peer.last()->put(head);
  peer.send(5000, 4000, pattern(0, 8));
  REQUIRE(world.until([&] { return !take_all(mine).empty(); }));
  REQUIRE(mine.unacknowledged() == 1);
  REQUIRE(here.counters().rdsco_ack_future == 0);
  mine.close();
  world.close(here);
}

TEST_CASE("two nodes acknowledge to each other by frames and need no pings") {
  loop where;
  node first = test::open(where, on_tcp("127.0.0.1"));
  node second = test::open(where, on_tcp("127.0.0.2"));
  socket from = bound(first, "127.0.0.1", 4000);
  socket into = bound(second, "127.0.0.2", 5000);
  auto const exchange = [&]() -> task<> {
    for (std::uint64_t index = 0; index < 100; ++index) {
      auto const payload = pattern(index, 100);
      auto const sent = co_await with_timeout(patience, from.send_to(payload, into.local(), until::acknowledged));
      REQUIRE(!sent.ec);
    }
  };
  block_on(where, exchange());
  REQUIRE(take_all(into).size() == 100);
  REQUIRE(first.tables().connections.at(0).acknowledged_by == "frames");
  REQUIRE(first.counters().rdsco_retired_by_ack >= 100);
  REQUIRE(first.counters().rdsco_ack_pings_sent + first.counters().rdsco_retired_by_pong + first.counters().rdsco_retired_by_tcp == 0);
  from.close();
  into.close();
  block_on(where, first.close());
  block_on(where, second.close());
}
