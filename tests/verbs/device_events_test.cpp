// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: an adapter says that a connection, a queue or it itself has failed, and nobody listens; or the wrong connection ends, or
// one that came later; a node hangs while it lets go.
// Forced by: a fake adapter that says each of these things at any time, of live connections and again of dead ones.

#include "verbs/event_status.hpp"
#include "verbs/faulty_exchange.hpp"
#include "verbs/raw_verbs_peer.hpp"

#include <set>

namespace {

using namespace rdsco;
using namespace rdsco::test;
using kind = verbs::cm_event::kind;

address const near_host = at("10.0.0.1");
address const far_host = at("10.0.0.2");
address const peer_host = at("10.0.0.9");

constexpr std::array failures{IBV_EVENT_QP_FATAL, IBV_EVENT_QP_REQ_ERR, IBV_EVENT_QP_ACCESS_ERR, IBV_EVENT_CQ_ERR};

connection_row row_with(node const& on, address const& peer) {
  for (auto const& each : on.tables().connections)
    if (each.peer == peer) return each;
  return {};
}

}  // namespace

TEST_CASE("what an adapter says of a connection has a text and a condition of its own") {
  std::set<std::string> texts;
  for (ibv_event_type const type : {IBV_EVENT_QP_FATAL, IBV_EVENT_QP_REQ_ERR, IBV_EVENT_QP_ACCESS_ERR, IBV_EVENT_CQ_ERR, IBV_EVENT_DEVICE_FATAL}) {
    CHECK(verbs::code_of(type));
    texts.insert(verbs::code_of(type).message());
  }
  CHECK(texts.size() == 5);
  CHECK(verbs::code_of(IBV_EVENT_QP_ACCESS_ERR) == std::errc::permission_denied);
  CHECK(verbs::code_of(IBV_EVENT_QP_REQ_ERR) == std::errc::protocol_error);
  CHECK(verbs::code_of(IBV_EVENT_DEVICE_FATAL) == std::errc::no_such_device);
  CHECK(verbs::code_of(IBV_EVENT_QP_FATAL) == std::errc::io_error);
  CHECK(verbs::code_of(IBV_EVENT_SRQ_ERR).message().find(std::to_string(IBV_EVENT_SRQ_ERR)) != std::string::npos);
}

TEST_CASE("a connection of which the adapter says that it failed ends, and the next one carries on") {
  for (ibv_event_type const type : failures) {
    INFO(verbs::code_of(type).message());
    two_on<fake_ib> w(quick_and_small());
    std::uint64_t messages = 0;
    w.fabric.on_message = [&](ibv_send_wr const&, std::span<std::byte const>) {
      if (++messages % 53 == 0) w.where.post([&] { w.fabric.tell_event_of_connection(near_host, far_host, type); });
    };
    exchange(w, 60);
    w.fabric.on_message = nullptr;
    CHECK(w.near.counters().rdsco_verbs_connection_failed >= 3);
    CHECK(w.far.counters().rdsco_verbs_connection_failed == 0);
    CHECK(w.near.counters().conn_reset >= 3);
  }
}

TEST_CASE("the tables say what the adapter said") {
  for (ibv_event_type const type : failures) {
    two_on<fake_iwarp> w(quick());
    exchange(w, 4);
    std::uint64_t const before = w.near.counters().conn_reset;
    w.fabric.tell_event_of_connection(near_host, far_host, type);
    REQUIRE(comes_true(w.where, [&] { return w.near.counters().conn_reset == before + 1; }));
    CHECK(row_with(w.near, far_host).trouble == verbs::code_of(type).message());
    exchange(w, 4);
    CHECK(row_with(w.near, far_host).trouble.empty());
  }
}

TEST_CASE("other connections are left alone, and so is one that came later") {
  two_on<fake_ib> w(quick());
  exchange(w, 4);
  raw_verbs_peer peer(w.fabric, peer_host);
  peer.connect(endpoint(near_host, verbs_options().port_v4), peer.honest(near_host));
  REQUIRE(comes_true(w.where, [&] { return peer.heard(kind::established).has_value(); }));
  for (ibv_event_type const type : failures) {
    std::uint64_t const before = w.near.counters().conn_reset;
    w.fabric.tell_event_of_connection(near_host, far_host, type);
    REQUIRE(comes_true(w.where, [&] { return w.near.counters().conn_reset == before + 1; }));
    exchange(w, 4);
    w.fabric.tell_events_again();
    exchange(w, 4);
    CHECK(w.near.counters().conn_reset == before + 1);
  }
  CHECK(row_with(w.near, peer_host).drops == 0);
  CHECK_FALSE(peer.heard(kind::disconnected));
  peer.end();
}

TEST_CASE("the adapter fails as a whole: all lets go of it, and carries on when it can be used again") {
  two_on<fake_ib> w(quick());
  exchange(w, 8);
  for (int turn = 0; turn < 5; ++turn) {
    INFO("turn " << turn);
    task_group load(w.where);
    load.spawn(send_numbered(w.from, w.into.local(), 40));
    load.spawn(send_numbered(w.into, w.from.local(), 40));
    load.spawn(receive_numbered(w.from, 40));
    load.spawn(receive_numbered(w.into, 40));
    for (int some = 0; some < 5 + turn; ++some) static_cast<void>(w.where.poll());
    w.fabric.faults.refused["bind_address"] = -ENODEV;
    w.fabric.tell_event(near_host, IBV_EVENT_DEVICE_FATAL);
    // Connections are gone, and who asks for one is refused; the identifiers of attempts come and go.
    REQUIRE(comes_true(w.where, [&] { return w.near.counters().rdsco_verbs_device_failed == static_cast<std::uint64_t>(turn + 1); }));
    CHECK(comes_true(w.where, [&] { return w.fabric.connections() == 0; }));
    w.fabric.faults.refused.clear();
    auto const ended = [](task_group& group) -> task<> { co_await group.join(); };
    block_on(w.where, ended(load));
  }
  CHECK(w.near.counters().rdsco_verbs_device_removed == 5);
  CHECK(w.far.counters().rdsco_verbs_device_failed == 0);
  CHECK(!block_on(w.where, w.from.drain(patience)).ec);
  CHECK(!block_on(w.where, w.into.drain(patience)).ec);
}

TEST_CASE("an adapter that says that it failed, and is then pulled out, is let go of once") {
  two_on<fake_ib> w(quick());
  exchange(w, 8);
  w.fabric.tell_event(near_host, IBV_EVENT_DEVICE_FATAL);
  w.fabric.tell_event(near_host, IBV_EVENT_DEVICE_FATAL);
  w.fabric.remove_device(near_host);
  CHECK(comes_true(w.where, [&] { return w.fabric.alive_on(near_host) == 0; }));
  CHECK(w.near.counters().rdsco_verbs_device_failed == 1);
  CHECK(w.near.counters().rdsco_verbs_device_removed == 1);
  w.fabric.restore_device(near_host);
  exchange(w, 8);
}

TEST_CASE("nodes are closed with events that nobody has read") {
  for (ibv_event_type const type : {IBV_EVENT_QP_FATAL, IBV_EVENT_CQ_ERR, IBV_EVENT_DEVICE_FATAL, IBV_EVENT_PORT_ERR}) {
    for (unsigned turns = 0; turns < 6; ++turns) {
      two_on<fake_ib> w(quick());
      exchange(w, 2);
      w.fabric.tell_event(near_host, type);
      w.fabric.tell_event_of_connection(far_host, near_host, type);
      turn(w.where, turns);
    }
  }
}

TEST_CASE("the adapter says that a message came: the connection is established, whoever else keeps silent") {
  two_on<fake_ib> w(quick());
  w.fabric.faults.lose_established = true;
  raw_verbs_peer peer(w.fabric, peer_host);
  peer.connect(endpoint(near_host, verbs_options().port_v4), peer.honest(near_host));
  REQUIRE(comes_true(w.where, [&] { return peer.heard(kind::established).has_value(); }));
  CHECK(row_with(w.near, peer_host).flags.find('C') == std::string::npos);
  w.fabric.tell_event_of_connection(near_host, peer_host, IBV_EVENT_COMM_EST);
  CHECK(comes_true(w.where, [&] { return row_with(w.near, peer_host).flags.find('C') != std::string::npos; }));
  // Again, it changes nothing.
  w.fabric.tell_event_of_connection(near_host, peer_host, IBV_EVENT_COMM_EST);
  for (int some = 0; some < 10; ++some) static_cast<void>(w.where.poll());
  CHECK(row_with(w.near, peer_host).drops == 0);
  peer.end();
}

TEST_CASE("what adapters say of their ports is counted, and ends nothing") {
  two_on<fake_ib> w(quick());
  exchange(w, 4);
  w.fabric.tell_event(near_host, IBV_EVENT_PORT_ERR);
  w.fabric.tell_event(near_host, IBV_EVENT_PORT_ACTIVE);
  for (ibv_event_type const type : {IBV_EVENT_GID_CHANGE, IBV_EVENT_LID_CHANGE, IBV_EVENT_PKEY_CHANGE, IBV_EVENT_SM_CHANGE,
                                    IBV_EVENT_CLIENT_REREGISTER})
    w.fabric.tell_event(near_host, type);
  for (ibv_event_type const type : {IBV_EVENT_SQ_DRAINED, IBV_EVENT_PATH_MIG, IBV_EVENT_QP_LAST_WQE_REACHED, IBV_EVENT_SRQ_ERR})
    w.fabric.tell_event(near_host, type);
  CHECK(comes_true(w.where, [&] { return w.near.counters().rdsco_verbs_port_changed == 5; }));
  CHECK(w.near.counters().rdsco_verbs_port_down == 1);
  CHECK(w.near.counters().rdsco_verbs_port_up == 1);
  exchange(w, 4);
  CHECK(w.near.counters().conn_reset == 0);
}
