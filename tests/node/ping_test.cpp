// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: the answer to a ping reaches the wrong socket, or an answer that nobody asked for reaches one.
// Forced by: pings by hand and by node::ping() in every way, and sockets on the same ports of both addresses that must stay empty.

#include "node/world.hpp"

namespace {

using namespace rdsco;
using namespace rdsco::test;

task<> by_the_node(world& w) {
  for (int i = 0; i < 3; ++i) {
    auto const there = co_await with_timeout(patience, w.near().ping(at(w.near_host), at(w.far_host)));
    REQUIRE(!there.ec);
    CHECK(there.data.count() >= 0);
    auto const back = co_await with_timeout(patience, w.far().ping(at(w.far_host), at(w.near_host)));
    REQUIRE(!back.ec);
  }
  CHECK(w.near().tables().sockets.empty());
  CHECK((co_await with_timeout(patience, w.near().ping(at("127.0.0.99"), at(w.far_host)))).ec == errc::address_not_owned);
  CHECK((co_await with_timeout(patience, w.near().ping(at(w.near_host), at("10.1.1.1")))).ec == errc::peer_not_allowed);
}

// The kernel's loopback gives this answer to the same port of the pinged address.
task<> to_the_asker(world& w) {
  socket asker = w.near_socket(4000), namesake = w.far_socket(w.how == way::same_address ? 4001 : 4000);
  endpoint const service = to(w.far_host, 0);
  for (int round = 0; round < 3; ++round) {
    CHECK_FALSE((co_await asker.send_to({}, service)).ec);
    auto const got = co_await with_timeout(patience, asker.receive());
    REQUIRE(!got.ec);
    CHECK(got.data.from() == service);
    CHECK(got.data.empty());
  }
  CHECK(asker.try_receive().ec == errc::would_block);
  CHECK(namesake.try_receive().ec == errc::would_block);
  CHECK(w.far().counters().recv_ping >= 3);
  CHECK(w.far().counters().send_pong >= 3);
}

task<> several_and_mixed(world& w) {
  socket asker = w.near_socket(4000), friend_of = w.far_socket(5000);
  for (int i = 0; i < 3; ++i) {
    CHECK_FALSE(asker.try_send_to({}, to(w.far_host, 0)));
    CHECK_FALSE(friend_of.try_send_to("data", asker.local()));
  }
  int answers = 0, data = 0;
  for (int i = 0; i < 6; ++i) {
    auto const got = co_await with_timeout(patience, asker.receive());
    REQUIRE(!got.ec);
    got.data.from().port == 0 ? ++answers : ++data;
  }
  CHECK(answers == 3);
  CHECK(data == 3);
}

task<> asker_gone(world& w) {
  socket asker = w.near_socket(4000);
  CHECK_FALSE(asker.try_send_to({}, to(w.far_host, 0)));
  asker.close();
  socket next = w.near_socket(4000);
  REQUIRE(!(co_await with_timeout(patience, w.near().ping(at(w.near_host), at(w.far_host)))).ec);
  CHECK(next.try_receive().ec == errc::would_block);
}

task<> taken_back(world& w) {
  socket asker = w.near_socket(4000);
  CHECK_FALSE(asker.try_send_to({}, to("127.0.0.77", 0)));
  CHECK(asker.unacknowledged() == 1);
  CHECK(asker.cancel_sent_to(to("127.0.0.77", 0)) == 1);
  CHECK(asker.unacknowledged() == 0);
  auto const absent = co_await with_timeout(1ms, w.near().ping(at(w.near_host), at("127.0.0.77")));
  CHECK(absent.ec == errc::timed_out);
  CHECK(w.near().tables().sockets.size() == 1);
}

}  // namespace

TEST_CASE("a node measures the way to itself and to others") { in(every_way, by_the_node); }
TEST_CASE("the answer to a ping goes to whoever asked") { in(every_way, to_the_asker); }
TEST_CASE("answers and data arrive beside each other") { in(every_way, several_and_mixed); }
TEST_CASE("an answer is not for the next socket on the port") { in(every_way, asker_gone); }
TEST_CASE("a ping to nobody can be taken back and timed out") { in(over_tcp, taken_back); }
