// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: there is no memory for the probe when a connection begins, nobody makes it later, and the peer never says who it is:
// nothing is ever retired. Or it is made later and comes behind a fresh number.
// Forced by: a memory source that refuses everything while the connection is established.

#include "support/refusing_memory.hpp"
#include "support/rig.hpp"

using namespace rdsco;
using namespace rdsco::test;

TEST_CASE("memory for the probe is refused at first: it is sent once there is some, ahead of what is new") {
  refusing_memory memory;
  rig world(time_of::test, nullptr, &memory);
  node_options options = on_tcp("127.0.0.2");
  node here = test::open(world.where, options);
  bool const queued_first = GENERATE(false, true);
  INFO("queued first: " << queued_first);
  kernel_habits silent;
  silent.announces_map = silent.probes = false;
  kernel_peer peer(at("127.0.0.1"), at("127.0.0.2"), options.tcp.port, silent);
  world.add(peer);
  socket from = bound(here, "127.0.0.2", 4000);
  if (queued_first) REQUIRE(!from.try_send_to("data", to("127.0.0.1", 5000)));
  memory.largest = 0;
  peer.connect();
  REQUIRE(world.until([&] {
    auto const known = here.tables().connections;
    return !known.empty() && known[0].flags[2] == 'C';
  }));
  for (int turn = 0; turn < 20; ++turn) world.turn();
  CHECK(peer.pings.empty());
  memory.largest = ~std::size_t{0};
  REQUIRE(world.until([&] { return !peer.pings.empty(); }));
  CHECK(peer.pings[0].head.destination_port == 0);
  CHECK(peer.pings[0].head.source_port == 1);
  if (queued_first) {
    REQUIRE(world.until([&] { return from.unacknowledged() == 0; }));
    REQUIRE(peer.delivered.size() == 1);
    CHECK(peer.pings[0].head.sequence < peer.delivered[0].head.sequence);
  }
  CHECK(peer.duplicates == 0);
  from.close();
  world.remove(peer);
  world.close(here);
}
