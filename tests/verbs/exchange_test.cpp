// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a datagram cut into fragments comes out torn, twice, or not at all, or an adapter's object is left behind.
// Forced by: two nodes on fake adapters, all sizes around a fragment's, rings so small that every send has to wait, connections that
// break, peers that start anew; on adapters that wait for a receive, and on adapters that end the connection instead.

#include "verbs/fake_nodes.hpp"

#include <rdsco/sleep.hpp>

#include <array>

namespace {

using namespace rdsco;
using namespace rdsco::test;

constexpr std::array<std::size_t, 12> sizes{0, 1, 47, 4095, 4096, 4097, 8192, 8193, 65'536, 100'000, 1u << 20, 5};
std::size_t size_of(std::uint64_t index) { return sizes[index % sizes.size()]; }

task<> send_all(rdsco::socket& by, endpoint to, std::uint64_t count, until what) {
  for (std::uint64_t index = 0; index < count; ++index) {
    auto const payload = pattern(index, size_of(index));
    auto const sent = co_await with_timeout(patience, by.send_to(payload, to, what));
    REQUIRE(!sent.ec);
  }
}

task<> receive_all(rdsco::socket& by, std::uint64_t count) {
  for (std::uint64_t index = 0; index < count; ++index) {
    auto const got = co_await with_timeout(patience, by.receive());
    REQUIRE(!got.ec);
    INFO("datagram " << index);
    REQUIRE(matches(got.data, index, size_of(index)));
  }
}

task<> both_ways(two_on_fabric& w, std::uint64_t count, until what = until::accepted) {
  task_group group(w.where);
  group.spawn(send_all(w.from, w.into.local(), count, what));
  group.spawn(send_all(w.into, w.from.local(), count, what));
  group.spawn(receive_all(w.into, count));
  group.spawn(receive_all(w.from, count));
  co_await group.join();
}

task<> a_while() { static_cast<void>(co_await sleep(50ms)); }

verbs_options small_rings() {
  verbs_options made;
  made.receives = 4;
  made.sends = 3;
  return made;
}

}  // namespace

TEMPLATE_TEST_CASE("datagrams of all sizes, both ways, accepted and acknowledged", "", fake_ib, fake_iwarp) {
  two_on<TestType> w;
  block_on(w.where, both_ways(w, 48));
  block_on(w.where, both_ways(w, 24, until::acknowledged));
  CHECK((block_on(w.where, w.from.drain(patience))).data == 0);
  CHECK((block_on(w.where, w.into.drain(patience))).data == 0);
  CHECK(w.near.counters().rdsco_retransmitted == 0);
  CHECK(w.near.counters().rdsco_retired_by_ack >= 72);
}

TEMPLATE_TEST_CASE("rings of a few slots: senders wait for completions, and nothing is lost", "", fake_ib, fake_iwarp) {
  two_on<TestType> w(small_rings());
  block_on(w.where, both_ways(w, 24));
}

TEMPLATE_TEST_CASE("what an idle connection is woken for costs one look at the channel", "", fake_ib, fake_iwarp) {
  two_on<TestType> w;
  for (int turn = 0; turn < 10; ++turn) {
    block_on(w.where, both_ways(w, 1));
    block_on(w.where, a_while());  // the queues are armed
  }
  CHECK(w.fabric.queue_events >= 10);
  CHECK(w.fabric.fruitless_reads == 0);
}

TEMPLATE_TEST_CASE("a ping is answered over verbs", "", fake_ib, fake_iwarp) {
  two_on<TestType> w;
  CHECK(!block_on(w.where, with_timeout(patience, w.near.ping(at("10.0.0.1"), at("10.0.0.2")))).ec);
}

TEMPLATE_TEST_CASE("connections break again and again in mid-transfer: everything arrives once and in order", "", fake_ib, fake_iwarp) {
  two_on<TestType> w;
  task_group group(w.where);
  std::uint64_t const count = 60;
  group.spawn(send_all(w.from, w.into.local(), count, until::accepted));
  group.spawn(receive_all(w.into, count));
  group.spawn(send_all(w.into, w.from.local(), count, until::accepted));
  group.spawn(receive_all(w.from, count));
  std::uint64_t messages = 0;
  w.fabric.on_message = [&](ibv_send_wr const&, std::span<std::byte const>) {
    // In the middle of whatever goes on: from the loop's next turn.
    if (++messages % 700 == 0) w.where.post([&] { w.fabric.break_connections(at("10.0.0.1"), at("10.0.0.2")); });
  };
  block_on(w.where, joined(group));
  w.fabric.on_message = nullptr;
  CHECK((block_on(w.where, w.from.drain(patience))).data == 0);
  CHECK(w.near.counters().conn_reset + w.far.counters().conn_reset >= 10);
  CHECK(w.near.counters().rdsco_retransmitted + w.far.counters().rdsco_retransmitted >= 5);
}

TEMPLATE_TEST_CASE("both connect at once: one connection comes of it", "", fake_ib, fake_iwarp) {
  for (int turn = 0; turn < 20; ++turn) {
    two_on<TestType> w;
    REQUIRE(!w.from.try_send_to(pattern(0, 0), w.into.local()));
    REQUIRE(!w.into.try_send_to(pattern(0, 0), w.from.local()));
    block_on(w.where, receive_all(w.into, 1));
    block_on(w.where, receive_all(w.from, 1));
    CHECK((block_on(w.where, w.from.drain(patience))).data == 0);
    CHECK((block_on(w.where, w.into.drain(patience))).data == 0);
    CHECK(w.fabric.connections() == 1);
  }
}

TEMPLATE_TEST_CASE("a peer that starts anew is talked to again, and takes nothing twice", "", fake_ib, fake_iwarp) {
  two_on<TestType> w;
  block_on(w.where, both_ways(w, 6));
  CHECK((block_on(w.where, w.from.drain(patience))).data == 0);
  for (int life = 0; life < 5; ++life) {
    w.into.close();
    block_on(w.where, w.far.close());
    w.far = node();
    w.far = w.open_at("10.0.0.2", {});
    w.into = bound(w.far, "10.0.0.2", 5000);
    block_on(w.where, both_ways(w, 6));
    CHECK((block_on(w.where, w.from.drain(patience))).data == 0);
  }
}

TEMPLATE_TEST_CASE("nobody listens, the wire is cut, and then all goes on", "", fake_ib, fake_iwarp) {
  two_on<TestType> w;
  w.fabric.cut(at("10.0.0.1"), at("10.0.0.2"), true);
  task_group group(w.where);
  group.spawn(send_all(w.from, w.into.local(), 12, until::accepted));
  group.spawn(receive_all(w.into, 12));
  block_on(w.where, a_while());
  CHECK(w.far.counters().recv_delivered == 0);
  w.fabric.cut(at("10.0.0.1"), at("10.0.0.2"), false);
  block_on(w.where, joined(group));
}

TEMPLATE_TEST_CASE("a reader that stops: its port is congested, reading stops, and acknowledgements still arrive", "", fake_ib, fake_iwarp) {
  socket_options small;
  small.receive_buffer = 10'000;
  two_on<TestType> w({}, small);
  task_group group(w.where);
  std::uint64_t const count = 36;
  group.spawn(send_all(w.from, w.into.local(), count, until::accepted));
  w.wait_until([&] { return w.near.counters().cong_update_received > 0; });
  group.spawn(receive_all(w.into, count));
  block_on(w.where, joined(group));
}

TEMPLATE_TEST_CASE("that a port in the second half of the map is congested is told, and of no other", "", fake_ib, fake_iwarp) {
  socket_options small;
  small.receive_buffer = 10'000;
  two_on<TestType> w;
  rdsco::socket const high = bound(w.far, "10.0.0.2", 40'000, small);
  rdsco::socket const low = bound(w.far, "10.0.0.2", 40'000 - 32'768);
  REQUIRE(!w.from.try_send_to(pattern(0, 20'000), high.local()));
  w.wait_until([&] { return w.from.try_send_to(pattern(1, 0), high.local()) == errc::congested; });
  CHECK(!w.from.try_send_to(pattern(2, 0), low.local()));
}
