// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: one peer answers a ping that another was sent, and the other's answer is then dropped as one that nobody asked for.
// Forced by: a ping to a peer that answers late, and an answer from a peer that was not asked.

#include "support/rig.hpp"

using namespace rdsco;
using namespace rdsco::test;

TEST_CASE("an answer to a ping counts for the peer that was asked") {
  rig world;
  node_options options = on_tcp("127.0.0.9");
  node here = test::open(world.where, options);
  kernel_habits late;
  late.answers_pings = false;
  kernel_peer asked(at("127.0.0.1"), at("127.0.0.9"), options.tcp.port, late), other(at("127.0.0.2"), at("127.0.0.9"), options.tcp.port);
  for (kernel_peer* const each : {&asked, &other}) {
    world.add(*each);
    each->connect();
  }
  socket from = bound(here, "127.0.0.9", 4000);
  for (int round = 1; round <= 3; ++round) {
    REQUIRE(!from.try_send_to({}, to("127.0.0.1", 0)));
    REQUIRE(world.until([&] {
      return std::count_if(asked.pings.begin(), asked.pings.end(), [](frame const& each) { return each.head.source_port == 4000; }) == round;
    }));
    auto const dropped = here.counters().rdsco_drop_unrequested_pong;
    other.send(0, 4000, {});
    REQUIRE(world.until([&] { return here.counters().rdsco_drop_unrequested_pong == dropped + 1; }));
    asked.send(0, 4000, {});
    std::vector<message> got;
    REQUIRE(world.until([&] { return !(got = take_all(from)).empty(); }));
    REQUIRE(got.size() == 1);
    CHECK(got[0].from() == to("127.0.0.1", 0));
    // It was asked once.
    asked.send(0, 4000, {});
    REQUIRE(world.until([&] { return here.counters().rdsco_drop_unrequested_pong == dropped + 2; }));
    CHECK(take_all(from).empty());
  }
  from.close();
  for (kernel_peer* const each : {&asked, &other}) world.remove(*each);
  world.close(here);
}
