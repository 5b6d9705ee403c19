// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a send cancelled half-way that breaks the stream, shows what its memory holds later, or claims to be undone.
// Forced by: a peer that does not read until the sender's buffers are full and the sends behind them are cancelled and overwritten.

#include "node/raw_peer.hpp"

#include <rdsco/when_all.hpp>

#include <deque>

namespace rdsco::test {
namespace {

constexpr std::size_t large = 256u << 10;

struct one_send {
  std::vector<std::byte> payload;
  std::error_code outcome;
};

task<> send_borrowed(socket& from, endpoint there, one_send& each) {
  result<> const sent = co_await from.send_to(each.payload, there, until::acknowledged);
  each.outcome = sent.ec;
  std::fill(each.payload.begin(), each.payload.end(), std::byte{0xdd});  // the memory is ours again
}

node near_node(loop& where) {
  node_options told = on_tcp("127.0.0.1");
  told.tcp.send_buffer = 64 * 1024;
  return open(where, told);
}

enum class end_by { stop, cancel_sent_to, close };

task<> cancelled_half_way(loop& where, node& on, end_by how) {
  raw_peer peer(64 * 1024);
  socket from = bound(on, "127.0.0.1", 4000, [] {
    socket_options roomy;
    roomy.send_buffer = 64u << 20;
    return roomy;
  }());
  endpoint const there = to(raw_peer::host, 5000);
  std::deque<one_send> sends(40);  // more than are gathered for one write
  task_group group(where);
  for (std::size_t i = 0; i < sends.size(); ++i) {
    sends[i].payload = pattern(i, large);
    group.spawn(send_borrowed(from, there, sends[i]));
  }
  co_await peer.accept();
  // Until the first is under way and TCP takes no more.
  REQUIRE(co_await eventually([&] { return on.counters().tcp_sndbuf_full != 0; }));
  if (how == end_by::stop) group.stop();
  if (how == end_by::cancel_sent_to) CHECK(from.cancel_sent_to(there) == sends.size());
  if (how == end_by::close) from.close();
  co_await group.join();
  std::size_t part_sent = 0;
  for (one_send const& each : sends) {
    if (how == end_by::close) {
      CHECK(each.outcome == errc::closed);
      continue;
    }
    CHECK((each.outcome == errc::may_arrive || each.outcome == errc::withdrawn));
    part_sent += each.outcome == errc::may_arrive;
  }
  // The stream goes on as if nothing had happened: what was begun is finished with its own bytes.
  socket next = bound(on, "127.0.0.1", 4001);
  CHECK_FALSE(next.try_send_to("after", there));
  std::size_t arrived = 0;
  for (;; ++arrived) {
    auto const got = co_await peer.next_data();
    if (got.head.source_port == 4001) break;
    REQUIRE(arrived < sends.size());
    CHECK(got.head.source_port == 4000);
    CHECK(got.payload == pattern(arrived, large));
  }
  if (how != end_by::close) CHECK(arrived == part_sent);
  CHECK(arrived != 0);
  CHECK(arrived != sends.size());
}

void run(end_by how) {
  loop where;
  node on = near_node(where);
  block_on(where, cancelled_half_way(where, on, how));
  block_on(where, on.close());
  CHECK(on.memory_in_use() == 0);
  CHECK(where.frames() == 0);
}

TEST_CASE("a send stopped half-way is finished from the node's memory and may arrive") { run(end_by::stop); }
TEST_CASE("sends taken back half-way are finished and say that they may arrive") { run(end_by::cancel_sent_to); }
TEST_CASE("a socket that closes half-way leaves the stream whole") { run(end_by::close); }

TEST_CASE("an acknowledged send may arrive when it was sent and is stopped before its acknowledgement") {
  loop where;
  node on = near_node(where);
  block_on(where, [](loop& at_loop, node& from_node) -> task<> {
    raw_peer peer;
    socket from = bound(from_node, "127.0.0.1", 4000);
    one_send silent;
    silent.payload = pattern(1, 100);
    task_group group(at_loop);
    group.spawn(send_borrowed(from, to(raw_peer::host, 5000), silent));
    co_await peer.accept();
    auto const got = co_await peer.next_data();
    CHECK(got.payload == pattern(1, 100));
    CHECK(from.unacknowledged() == 1);
    group.stop();
    co_await group.join();
    CHECK(silent.outcome == errc::may_arrive);
    CHECK(from.unacknowledged() == 0);
  }(where, on));
  block_on(where, on.close());
  CHECK(on.memory_in_use() == 0);
}

TEST_CASE("an acknowledged send completes with the peer's acknowledgement and not before") {
  loop where;
  node on = near_node(where);
  block_on(where, [](loop& at_loop, node& from_node) -> task<> {
    raw_peer peer;
    socket from = bound(from_node, "127.0.0.1", 4000);
    one_send first, second;
    first.payload = pattern(1, 100);
    second.payload = pattern(2, 100);
    first.outcome = second.outcome = errc::would_block;
    task_group group(at_loop);
    group.spawn(send_borrowed(from, to(raw_peer::host, 5000), first));
    group.spawn(send_borrowed(from, to(raw_peer::host, 5000), second));
    co_await peer.accept();
    peer.announce(1000);
    auto const one = co_await peer.next_data();
    auto const two = co_await peer.next_data();
    CHECK(two.head.sequence == one.head.sequence + 1);
    CHECK(from.unacknowledged() == 2);
    peer.acknowledge(one.head.sequence);
    REQUIRE(co_await eventually([&] { return from.unacknowledged() == 1; }));
    co_await yield();
    CHECK_FALSE(first.outcome);
    CHECK(second.outcome == errc::would_block);
    peer.acknowledge(two.head.sequence);
    co_await group.join();
    CHECK_FALSE(second.outcome);
  }(where, on));
  block_on(where, on.close());
}

TEST_CASE("an answer to a ping that nobody sent reaches nobody") {
  loop where;
  node on = near_node(where);
  block_on(where, [](node& from_node) -> task<> {
    raw_peer peer;
    socket from = bound(from_node, "127.0.0.1", 4000);
    CHECK_FALSE(from.try_send_to("wake up", to(raw_peer::host, 5000)));
    co_await peer.accept();
    peer.announce(1000);
    for (std::uint64_t number = 1001; number < 1004; ++number) {
      protocol::header unasked = protocol::make_pong(4000);
      unasked.sequence = number;
      peer.say(unasked);
    }
    REQUIRE(co_await eventually([&] { return from_node.counters().rdsco_drop_unrequested_pong == 3; }));
    CHECK(from.try_receive().ec == errc::would_block);
    // Nor one to a ping that was taken back before it left, nor a second one to a ping that was answered.
    CHECK_FALSE(from.try_send_to({}, to(raw_peer::host, 0)));
    CHECK(from.cancel_sent_to(to(raw_peer::host, 0)) == 1);
    protocol::header late = protocol::make_pong(4000);
    late.sequence = 1004;
    peer.say(late);
    REQUIRE(co_await eventually([&] { return from_node.counters().rdsco_drop_unrequested_pong == 4; }));
    CHECK_FALSE(from.try_send_to({}, to(raw_peer::host, 0)));
    for (std::uint64_t number = 1005; number < 1007; ++number) {
      late.sequence = number;
      peer.say(late);
    }
    REQUIRE(co_await eventually([&] { return from_node.counters().rdsco_drop_unrequested_pong == 5; }));
    CHECK_FALSE(from.try_receive().ec);
    CHECK(from.try_receive().ec == errc::would_block);
  }(on));
  block_on(where, on.close());
}

}  // namespace
}  // namespace rdsco::test
