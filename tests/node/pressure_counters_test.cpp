// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a congested port is counted for every look at it, so that a script that reads the kernel's names sees errors where
// a send merely waited.
// Forced by: sends that wait, sends that may not wait, and waits for writability, at one congested port; a TCP whose buffer fills.

#include "node/world.hpp"

namespace {

using namespace rdsco;
using namespace rdsco::test;

task<> send_one(socket& from, endpoint there) {
  auto const payload = pattern(0, 1000);
  auto const sent = co_await with_timeout(patience, from.send_to(payload, there));
  CHECK(!sent.ec);
}

task<> wait_until_writable(socket& from, endpoint there) {
  auto const free = co_await with_timeout(patience, from.writable(there));
  CHECK(!free.ec);
}

task<> at_a_congested_port(world& w) {
  socket_options narrow;
  narrow.receive_buffer = 1500;
  socket from = w.near_socket(), into = w.far_socket(5000, narrow), other = w.far_socket(5001, narrow);
  counters const& seen = w.near().counters();
  for (socket* const each : {&into, &other}) {
    co_await send_one(from, each->local());
    co_await send_one(from, each->local());
  }
  REQUIRE(co_await eventually([&] { return unread_bytes(w.far(), into.local()) == 2000 && unread_bytes(w.far(), other.local()) == 2000; }));
  REQUIRE(co_await eventually([&] { return from.try_send_to({}, into.local()) == errc::congested; }));
  auto const errors = seen.cong_send_error;
  CHECK(seen.cong_send_blocked == 0);
  task_group group(w.where);
  for (int i = 0; i < 3; ++i) group.spawn(send_one(from, into.local()));
  group.spawn(wait_until_writable(from, into.local()));
  REQUIRE(co_await eventually([&] { return seen.cong_send_blocked == 3; }));
  // Another port becomes free: everybody looks again, and those for this one go on waiting.
  for (int i = 0; i < 2; ++i) REQUIRE(!other.try_receive().ec);
  REQUIRE(co_await eventually([&] { return from.try_send_to({}, other.local()) != errc::congested; }));
  auto const errors_at_other = seen.cong_send_error - errors;
  CHECK(from.try_send_to({}, into.local()) == errc::congested);
  CHECK(seen.cong_send_error - errors == errors_at_other + 1);
  for (int i = 0; i < 5; ++i) {
    auto const got = co_await with_timeout(patience, into.receive());
    CHECK(!got.ec);
  }
  co_await group.join();
  CHECK(seen.cong_send_blocked == 3);
  CHECK(seen.cong_send_error - errors == errors_at_other + 1);
}

}  // namespace

TEST_CASE("a send that waits for a port counts once as blocked, one that may not wait as an error") {
  for (way const how : every_way) {
    INFO(name(how));
    world w(how);
    block_on(w.where, at_a_congested_port(w));
    w.finish();
  }
}

TEST_CASE("TCP that takes bytes again is counted") {
  tcp_options narrow;
  narrow.send_buffer = 4096;
  for (way const how : over_tcp) {
    INFO(name(how));
    world w(how, {}, {}, narrow);
    block_on(w.where, [](world& in_world) -> task<> {
      socket from = in_world.near_socket(), into = in_world.far_socket();
      auto const payload = pattern(0, 1u << 18);
      auto const sent = co_await with_timeout(patience, from.send_to(payload, into.local(), until::acknowledged));
      CHECK(!sent.ec);
      CHECK(in_world.near().counters().tcp_sndbuf_full > 0);
      CHECK(in_world.near().counters().tcp_write_space_calls > 0);
    }(w));
    w.finish();
  }
}
