// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a congestion map with a wrong byte, at a wrong moment or not at all; a sender that ignores the peer's map or
// sleeps through its end. Forced by: a scripted kernel that compares whole frames with what kernels send.

#include "support/rig.hpp"

#include "protocol/congestion_map.hpp"

namespace {

using namespace rdsco;
using namespace rdsco::test;

std::vector<std::byte> map_frame(std::initializer_list<std::uint16_t> ports) {
  protocol::header head;
  head.length = protocol::congestion_map_bytes;
  head.flags = protocol::flag::congestion_bitmap;
  protocol::congestion_map map;
  for (std::uint16_t const port : ports) map.set(port);
  return bytes_of(head, map.wire());
}

std::vector<std::byte> map_frame_at(scripted_stream const& stream, std::size_t which) {
  std::size_t seen = 0;
  for (frame const& each : stream.frames)
    if (each.head.flags == protocol::flag::congestion_bitmap && seen++ == which) return bytes_of(each.head, each.payload);
  return {};
}

}  // namespace

TEST_CASE("the map is set above the receive buffer, cleared below half of it, and is on the wire what a kernel would send") {
  rig world;
  kernel_peer peer(at("127.0.0.1"), at("127.0.0.2"), tcp_port());
  world.add(peer);
  node here = test::open(world.where, on_tcp("127.0.0.2"));
  socket_options buffers;
  buffers.receive_buffer = 1000;
  socket into = bound(here, "127.0.0.2", 4000, buffers);
  scripted_stream& stream = peer.connect();

  REQUIRE(world.until([&] { return !peer.maps.empty(); }));
  REQUIRE(map_frame_at(stream, 0) == map_frame({}));
  for (std::uint64_t index = 0; index < 10; ++index) peer.send(5000, 4000, pattern(index, 100));
  REQUIRE(world.until([&] { return here.counters().recv_queued == 10; }));
  REQUIRE(here.counters().cong_update_queued == 0);
  peer.send(5000, 4000, pattern(10, 1));
  REQUIRE(world.until([&] { return peer.maps.size() == 2; }));
  REQUIRE(map_frame_at(stream, 1) == map_frame({4000}));
  // 1001 bytes; after five 501, after six 401. Lent ones count until they are given back.
  auto first = into.try_receive();
  for (int taken = 1; taken < 5; ++taken) REQUIRE(!into.try_receive().ec);
  REQUIRE(here.counters().cong_update_queued == 1);
  REQUIRE(!into.try_receive().ec);
  REQUIRE(here.counters().cong_update_queued == 1);
  first.data.release();
  REQUIRE(world.until([&] { return peer.maps.size() == 3; }));
  REQUIRE(map_frame_at(stream, 2) == map_frame({}));
  into.close();
  world.close(here);
}

TEST_CASE("a congested port of the peer holds back what goes there and nothing else, until its map says otherwise") {
  rig world;
  kernel_peer peer(at("127.0.0.2"), at("127.0.0.1"), tcp_port());
  world.add(peer);
  node here = test::open(world.where, on_tcp("127.0.0.1"));
  socket from = bound(here, "127.0.0.1", 4000);
  REQUIRE(!from.try_send_to(pattern(0, 10), to("127.0.0.2", 5000)));
  REQUIRE(world.until([&] { return peer.delivered.size() == 1; }));
  peer.last()->put(map_frame({5000, 8, 65535}));
  REQUIRE(world.until([&] { return here.counters().cong_update_received == 2; }));
  REQUIRE(from.try_send_to(pattern(1, 10), to("127.0.0.2", 5000)) == errc::congested);
  REQUIRE(from.try_send_to(pattern(1, 10), to("127.0.0.2", 8)) == errc::congested);
  REQUIRE(!from.try_send_to(pattern(1, 10), to("127.0.0.2", 5001)));

  bool accepted = false;
  task_group group(world.where);
  group.spawn([&]() -> task<> {
    auto const payload = pattern(2, 10);
    endpoint const port = to("127.0.0.2", 5000);
    auto const sent = co_await from.send_to(payload, port);
    REQUIRE(!sent.ec);
    accepted = true;
  });
  REQUIRE(world.until([&] { return peer.delivered.size() == 2; }));
  REQUIRE(!accepted);
  peer.last()->put(map_frame({}));
  REQUIRE(world.until([&] { return peer.delivered.size() == 3; }));
  REQUIRE(accepted);
  REQUIRE(peer.delivered[2].payload == pattern(2, 10));
  from.close();
  world.close(here);
}
