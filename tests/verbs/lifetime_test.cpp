// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a node that is destroyed under load leaves an object of the adapter, a frame or a byte behind, or keeps an adapter
// that is being pulled out from going; an acknowledgement of the adapter is taken for one of the peer.
// Forced by: hundreds of nodes destroyed in mid-transfer, at another moment each time; adapters that go away and come back; an adapter
// that acknowledges what never reached memory, and then dies.

#include "verbs/faulty_exchange.hpp"

#include <optional>

namespace {

using namespace rdsco;
using namespace rdsco::test;

address const near_host = at("10.0.0.1");
address const far_host = at("10.0.0.2");

node_options quick_at(std::string_view host) {
  node_options made;
  made.own<fake_ib>(at(host)).allow(net("10.0.0.0/24"));
  made.verbs = quick_and_small();
  made.limits.connect = 100ms;
  return made;
}

struct life {
  loop where;
  node near = test::open(where, quick_at("10.0.0.1"));
  node far = test::open(where, quick_at("10.0.0.2"));
  rdsco::socket from = bound(near, "10.0.0.1", 4000);
  rdsco::socket into = bound(far, "10.0.0.2", 5000);
};

// The far node goes first, after so many turns of the loop; the near one goes on with nobody there.
void live_and_end(unsigned turns, bool closed_first) {
  life it;
  {
    task_group load(it.where);
    load.spawn(send_endlessly(it.from, it.into.local(), until::accepted));
    load.spawn(send_endlessly(it.into, it.from.local(), until::acknowledged));
    load.spawn(receive_endlessly(it.from));
    load.spawn(receive_endlessly(it.into));
    turn(it.where, turns);
    if (closed_first) it.into.close();
    it.far = node();
    turn(it.where, 10);
    it.near = node();
    block_on(it.where, joined(load));
  }
  CHECK(it.where.frames() == 0);
}

}  // namespace

TEST_CASE("nodes destroyed under load, at another moment each time, leave nothing") {
  fake_fabric fabric;
  current_fabric = &fabric;
  for (unsigned turn = 0; turn < 200; ++turn) {
    INFO("life " << turn);
    live_and_end(turn % 67 * 3, turn % 2 == 0);
    REQUIRE(fabric.alive() == 0);
  }
  current_fabric = nullptr;
}

TEST_CASE("a node closed under load holds no byte") {
  for (unsigned turns : {1u, 10u, 50u, 100u}) {
    two_on<fake_ib> w(quick_and_small());
    {
      task_group load(w.where);
      load.spawn(send_endlessly(w.from, w.into.local(), until::accepted));
      load.spawn(receive_endlessly(w.into));
      turn(w.where, turns);
      block_on(w.where, w.close_both());
      block_on(w.where, joined(load));
    }
    CHECK(w.near.memory_in_use() == 0);
    CHECK(w.far.memory_in_use() == 0);
    CHECK(w.where.frames() == 0);
  }
}

TEST_CASE("an adapter that acknowledges what never reached memory, and then dies: nothing is lost") {
  two_on<fake_ib> w(quick_and_small());
  exchange(w, 3);
  std::uint64_t messages = 0, swallowed = 0;
  bool dying = false;
  w.fabric.faults.swallow = [&](ibv_send_wr const&, std::span<std::byte const> frame) {
    // What is on its way back is not lost with it.
    if (!dying && (++messages % 97 != 0 || frame.size() == protocol::header_bytes)) return false;
    if (!dying) {
      w.where.post([&] {
        dying = false;
        w.fabric.break_connections(near_host, far_host);
      });
    }
    dying = true;
    ++swallowed;
    return true;
  };
  exchange(w, 300);
  w.fabric.faults.swallow = nullptr;
  CHECK(swallowed >= 5);
  CHECK(w.near.counters().rdsco_retransmitted + w.far.counters().rdsco_retransmitted >= 5);
}

TEST_CASE("an adapter that is pulled out is let go of, and the node carries on when there is one again") {
  two_on<fake_ib> w(quick());
  exchange(w, 8);
  for (int turn = 0; turn < 5; ++turn) {
    INFO("turn " << turn);
    // With traffic that cannot go on, on both sides.
    task_group load(w.where);
    load.spawn(send_numbered(w.from, w.into.local(), 40));
    load.spawn(send_numbered(w.into, w.from.local(), 40));
    load.spawn(receive_numbered(w.from, 40));
    load.spawn(receive_numbered(w.into, 40));
    for (int some = 0; some < 10; ++some) static_cast<void>(w.where.poll());
    bool const own = turn % 2 == 0;
    address const gone = own ? near_host : far_host;
    w.fabric.remove_device(gone);
    CHECK(comes_true(w.where, [&] { return w.fabric.alive_on(gone) == 0; }));
    block_on(w.where, for_a_while(10ms));
    CHECK(w.fabric.alive_on(gone) == 0);
    w.fabric.restore_device(gone);
    auto const ended = [](task_group& group) -> task<> { co_await group.join(); };
    block_on(w.where, ended(load));
  }
  CHECK(w.near.counters().rdsco_verbs_device_removed == 3);
  CHECK(w.far.counters().rdsco_verbs_device_removed == 2);
  CHECK(!block_on(w.where, w.from.drain(patience)).ec);
  CHECK(!block_on(w.where, w.into.drain(patience)).ec);
}

TEST_CASE("an adapter is pulled out while connections are asked for, and again before it was let go of") {
  for (unsigned turns = 0; turns < 30; ++turns) {
    INFO(turns << " turns");
    two_on<fake_ib> w(quick());
    REQUIRE(!w.from.try_send_to(pattern(0, 0), w.into.local()));
    REQUIRE(!w.into.try_send_to(pattern(0, 0), w.from.local()));
    turn(w.where, turns);
    w.fabric.remove_device(near_host);
    static_cast<void>(w.where.poll());
    w.fabric.restore_device(near_host);
    if (turns % 2 == 0) static_cast<void>(w.where.poll());
    w.fabric.remove_device(near_host);
    w.fabric.restore_device(near_host);
    block_on(w.where, receive_numbered(w.into, 1));
    block_on(w.where, receive_numbered(w.from, 1));
  }
}

TEST_CASE("an adapter that only a connection brought back, which is over, is let go of too") {
  verbs_options tuning = quick();
  // The addresses are listened at again after so long.
  tuning.reconnect_max = 1h;
  two_on<fake_ib> w(tuning);
  exchange(w, 8);
  w.fabric.remove_device(near_host);
  CHECK(comes_true(w.where, [&] { return w.fabric.alive_on(near_host) == 0; }));
  w.fabric.cut(near_host, far_host, true);
  w.fabric.restore_device(near_host);
  REQUIRE(!w.from.try_send_to({}, w.into.local()));
  auto const stage = [&] { return w.near.tables().ib_connections.at(0).stage; };
  REQUIRE(comes_true(w.where, [&] { return stage() == "asking"; }));
  REQUIRE(comes_true(w.where, [&] { return stage() == "down"; }));
  CHECK(w.fabric.alive_on(near_host) != 0);
  w.fabric.remove_device(near_host);
  CHECK(comes_true(w.where, [&] { return w.fabric.alive_on(near_host) == 0; }));
  w.fabric.cut(near_host, far_host, false);
}

TEST_CASE("a node is closed while its adapter is out") {
  two_on<fake_ib> w(quick());
  exchange(w, 8);
  w.fabric.remove_device(near_host);
  for (int some = 0; some < 5; ++some) static_cast<void>(w.where.poll());
}
