// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: what the kernel's loopback does wrong between two addresses of one host, delivery that recurses, and a peer
// that is over its limit and is then forgotten.
// Forced by: namesake sockets on both addresses, filled one at a time, chains of senders that wake each other, and datagrams
// each of which alone passes every limit.

#include "node/world.hpp"

namespace {

using namespace rdsco;
using namespace rdsco::test;

socket_options receiving(std::size_t bytes) {
  socket_options made;
  made.receive_buffer = bytes;
  return made;
}

}  // namespace

// RDS in the kernel delivers this answer to the asker's port at the address that was asked.
TEST_CASE("the answer to a ping of another address comes back to the asker") {
  world w(way::two_addresses);
  socket asker = w.near_socket(4000), namesake = w.far_socket(4000);
  CHECK_FALSE(asker.try_send_to({}, to("127.0.0.2", 0)));
  auto const got = asker.try_receive();
  REQUIRE(!got.ec);
  CHECK(got.data.from() == to("127.0.0.2", 0));
  CHECK(namesake.try_receive().ec == errc::would_block);
}

// RDS in the kernel marks the port in the map of the sender's address, where the sender does not look.
TEST_CASE("congestion is seen between two addresses of one node, and only at the address that is congested") {
  world w(way::two_addresses);
  socket near = w.near_socket(5000), far = w.far_socket(5000, receiving(10)), sender = w.near_socket();
  CHECK_FALSE(sender.try_send_to("eleven byte", far.local()));
  CHECK(sender.try_send_to("x", far.local()) == errc::congested);
  CHECK_FALSE(sender.try_send_to("x", near.local()));
  CHECK_FALSE(far.try_send_to("x", near.local()));
  CHECK(far.try_send_to("x", far.local()) == errc::congested);
  far.try_receive().value().release();
  CHECK_FALSE(sender.try_send_to("x", far.local()));
}

TEST_CASE("delivery is at once, and the sender's buffer is free before anybody reads") {
  for (way const how : over_loopback) {
    INFO(name(how));
    world w(how);
    socket from = w.near_socket(), into = w.far_socket();
    CHECK_FALSE(from.try_send_to("now", into.local()));
    CHECK(from.unacknowledged() == 0);
    CHECK(into.try_receive().data.size() == 3);
  }
}

TEST_CASE("an address that loopback carries has no way to other hosts") {
  loop where;
  node_options told;
  told.own<loopback>(at("127.0.0.1")).allow(net("127.0.0.0/8"));
  node on = open(where, told);
  socket from = bound(on, "127.0.0.1");
  CHECK(from.try_send_to("x", to("127.0.0.2", 5)) == errc::peer_not_allowed);
  block_on(where, on.close());
}

// Each release wakes a sender, whose datagram congests the port again, and so on: no depth of calls may grow with their number.
TEST_CASE("ten thousand waiting senders are served one after the other") {
  world w(way::same_address);
  socket from = w.near_socket(), into = w.far_socket(0, receiving(0));
  constexpr std::size_t count = 10000;
  std::size_t sent = 0, received = 0;
  block_on(w.where, [&](world& in_world) -> task<> {
    task_group group(in_world.where);
    for (std::size_t i = 0; i < count; ++i) {
      group.spawn([&sent](socket& by, endpoint there) -> task<> {
        auto const done = co_await with_timeout(patience, by.send_to("x", there));
        sent += done.ec ? 0u : 1u;
      }, std::ref(from), into.local());
    }
    while (received < count) {
      auto const got = co_await with_timeout(patience, into.receive());
      if (got.ec) break;
      ++received;
    }
    co_await group.join();
  }(w));
  CHECK(sent == count);
  CHECK(received == count);
  into.close();
  w.finish();
}

TEST_CASE("IPv6 addresses work as IPv4 ones do, and do not mix with them") {
  loop where;
  node_options told;
  told.own<loopback>(at("::1")).own<loopback>(at("fd00::7")).own<loopback>(at("127.0.0.1"));
  node on = open(where, told);
  socket one = bound(on, "::1", 4000), other = bound(on, "fd00::7", 4000), four = bound(on, "127.0.0.1", 4000);
  CHECK_FALSE(one.try_send_to("six", other.local()));
  auto const got = other.try_receive();
  REQUIRE(!got.ec);
  CHECK(got.data.from() == to("::1", 4000));
  CHECK_FALSE(other.try_send_to({}, to("::1", 0)));
  CHECK(other.try_receive().data.from() == to("::1", 0));
  CHECK(one.try_send_to("x", four.local()) == errc::address_family);
  CHECK(four.try_send_to("x", one.local()) == errc::address_family);
  block_on(where, on.close());
}

// Each of these datagrams alone is more than four receive buffers and the peer's limit: with it, nothing more is delivered.
TEST_CASE("over its limit a peer waits, for other ports too; nothing is lost, and it goes on when the program has read") {
  constexpr std::size_t large = 10'000, count = 20;
  node_limits tiny;
  tiny.unread_bytes_per_peer = 1000;
  for (way const how : over_loopback) {
    INFO(name(how));
    world w(how, tiny);
    socket from = w.near_socket(), full = w.far_socket(0, receiving(1000)), other = w.far_socket(0, receiving(1000));
    auto const stopped = [&] { return w.far().counters().rdsco_reading_stopped; };
    CHECK_FALSE(from.try_send_to(pattern(0, large), full.local()));
    CHECK(stopped() == 1);
    // The other port is free, so these are accepted, and wait.
    for (std::size_t index = 0; index < count; ++index) CHECK_FALSE(from.try_send_to(pattern(index, large), other.local()));
    CHECK(from.unacknowledged() == count);
    CHECK(other.try_receive().ec == errc::would_block);
    full.try_receive().value().release();
    // Each one that is delivered stops the peer again.
    for (std::size_t index = 0; index < count; ++index) {
      CHECK(stopped() == index + 2);
      CHECK(from.unacknowledged() == count - index - 1);
      auto const got = other.try_receive();
      REQUIRE(!got.ec);
      CHECK(matches(got.data, index, large));
      CHECK(other.try_receive().ec == errc::would_block);
    }
    CHECK(from.unacknowledged() == 0);
    CHECK_FALSE(from.try_send_to("last", other.local()));
    CHECK(other.try_receive().data.size() == 4);
    CHECK(stopped() == count + 1);
    for (socket* const each : {&from, &full, &other}) each->close();
    w.finish();
  }
}

namespace {

task<> send_until_acknowledged(socket& from, endpoint there, bool& told) {
  auto const sent = co_await from.send_to("waits", there, until::acknowledged);
  told = !sent.ec;
}

task<> wait_behind_full(world& w, socket& from, socket& full, socket& other) {
  auto const early = co_await with_timeout(1ms, from.send_to("taken back", other.local(), until::acknowledged));
  CHECK(early.ec == errc::withdrawn);
  bool told = false;
  task_group group(w.where);
  group.spawn(send_until_acknowledged(from, other.local(), told));
  for (int turn = 0; turn < 10; ++turn) co_await yield();
  CHECK_FALSE(told);
  full.try_receive().value().release();
  co_await group.join();
  CHECK(told);
}

}  // namespace

TEST_CASE("what waits for a peer over its limit can be taken back, and a send until acknowledged is told when it goes on") {
  node_limits tiny;
  tiny.unread_bytes_per_peer = 1000;
  for (way const how : over_loopback) {
    INFO(name(how));
    world w(how, tiny);
    socket from = w.near_socket(), full = w.far_socket(0, receiving(1000)), other = w.far_socket();
    CHECK_FALSE(from.try_send_to(pattern(0, 10'000), full.local()));
    block_on(w.where, wait_behind_full(w, from, full, other));
    CHECK(other.try_receive().data.size() == std::string_view("waits").size());
    CHECK(other.try_receive().ec == errc::would_block);
    for (socket* const each : {&from, &full, &other}) each->close();
    w.finish();
  }
}
