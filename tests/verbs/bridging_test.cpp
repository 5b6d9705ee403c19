// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: traffic between two addresses of one adapter goes past it although it can carry it, or through one that cannot; the two
// ends, which one loop runs, wait for each other, take each other's part, or are not both let go of; somebody else comes in as one of them.
// Forced by: nodes with two addresses, on transports that differ in that capability alone, and adapters that count what they carry; both
// ends at once connecting, breaking, losing their adapter, and closing at another moment each time.

#include "protocol/cm_private_data.hpp"
#include "verbs/one_node.hpp"
#include "verbs/raw_verbs_peer.hpp"

#include <rdsco/basic_socket.hpp>

namespace {

using namespace rdsco;
using namespace rdsco::test;

address const one_host = at("10.0.0.1");
address const other_host = at("10.0.0.2");

static_assert(basic_socket<ib>::capabilities.loopback == bridging::device);
static_assert(basic_socket<iwarp>::capabilities.loopback == bridging::software);
static_assert(basic_socket<tcp>::capabilities.loopback == bridging::software);
static_assert(basic_socket<loopback>::capabilities.loopback == bridging::software);

/// As fake_ib, but for one capability, or for its name.
struct past_the_adapter : fake_ib {
  static constexpr transport_capabilities capabilities = [] {
    transport_capabilities can = fake_ib::capabilities;
    can.loopback = bridging::software;
    return can;
  }();
};
struct another_ib : fake_ib {
  static constexpr std::string_view name = "another";
};

template <class One, class Other = One>
struct pair_of {
  using one = One;
  using other = Other;
};

task<> closed(node& ending) { co_await ending.close(0ns); }

template <class Way>
void exchanged_by_loopback() {
  one_node<typename Way::one, typename Way::other> w;
  block_on(w.where, exchange(w.where, w.from, w.into, 16));
  CHECK(w.seen.messages == 0);
  CHECK(w.carried_by(one_host, other_host) == "loopback");
  CHECK(w.carried_by(other_host, one_host) == "loopback");
  // Nothing but what every address has.
  CHECK(w.on.tables().ib_connections.empty());
}

task<> send_large(rdsco::socket& by, endpoint there, std::vector<std::size_t> const& sizes) {
  for (std::size_t const bytes : sizes) {
    auto const payload = pattern(bytes, bytes);
    auto const sent = co_await with_timeout(patience, by.send_to(payload, there, until::acknowledged));
    REQUIRE(!sent.ec);
  }
}
task<> receive_large(rdsco::socket& by, std::vector<std::size_t> const& sizes) {
  for (std::size_t const bytes : sizes) {
    auto const got = co_await with_timeout(patience, by.receive());
    REQUIRE(!got.ec);
    REQUIRE(matches(got.data, bytes, bytes));
  }
}

}  // namespace

TEST_CASE("IB: what goes between two addresses of a node goes through their adapter") {
  one_node<fake_ib> w;
  block_on(w.where, exchange(w.where, w.from, w.into, 48));
  CHECK(w.fabric.connections() == 1);
  CHECK(w.seen.messages >= 2 * 48);
  CHECK(w.carried_by(one_host, other_host) == "ib");
  CHECK(w.carried_by(other_host, one_host) == "ib");
  CHECK(w.on.tables().ib_connections.size() == 2);
  CHECK(w.on.counters().rdsco_retransmitted == 0);
  CHECK(w.on.counters().conn_reset == 0);
}

TEST_CASE("iWARP: it does not, for that adapter does not loop it back") { exchanged_by_loopback<pair_of<fake_iwarp>>(); }

TEMPLATE_TEST_CASE("where one capability says so, or the transports are two, loopback carries it past the same adapter", "",
                   pair_of<past_the_adapter>, (pair_of<fake_ib, another_ib>), (pair_of<fake_ib, past_the_adapter>),
                   (pair_of<past_the_adapter, fake_ib>), (pair_of<fake_ib, loopback>)) {
  exchanged_by_loopback<TestType>();
}

TEST_CASE("IB: from an address to itself nothing goes through an adapter") {
  one_node<fake_ib> w;
  rdsco::socket beside = bound(w.on, "10.0.0.1", 4001);
  block_on(w.where, exchange(w.where, w.from, beside, 16));
  CHECK(w.seen.messages == 0);
  CHECK(w.carried_by(one_host, one_host) == "loopback");
  // And types of service are not told apart there.
  rdsco::socket urgent = bound(w.on, "10.0.0.1", 4002);
  REQUIRE(!urgent.set_type_of_service(5));
  block_on(w.where, exchange(w.where, urgent, beside, 4));
  CHECK(w.on.tables().connections.size() == 1);
  CHECK(!block_on(w.where, with_timeout(patience, w.on.ping(one_host, one_host))).ec);
  CHECK(w.fabric.connections() == 0);
}

TEST_CASE("a typed socket says which it is, and its tables agree") {
  one_node<fake_ib> w;
  using typed = basic_socket<fake_ib>;
  static_assert(typed::capabilities.loopback == bridging::device);
  auto made = typed::bind(w.on, one_host, 4001);
  REQUIRE(!made.ec);
  REQUIRE(!made.data.try_send_to("typed", w.into.local()));
  CHECK(block_on(w.where, next_of(w.into)).data.to_string() == "typed");
  CHECK(w.carried_by(one_host, other_host) == fake_ib::name);
}

TEST_CASE("IB: a ping of another address of the node goes there and back") {
  one_node<fake_ib> w;
  CHECK(!block_on(w.where, with_timeout(patience, w.on.ping(one_host, other_host))).ec);
  CHECK(!block_on(w.where, with_timeout(patience, w.on.ping(other_host, one_host))).ec);
  CHECK(w.seen.messages >= 4);
}

TEST_CASE("IB: datagrams up to the largest, both ways at once, through rings of any length") {
  verbs_options const tuning = GENERATE(quick(), quick_and_small());
  one_node<fake_ib> w(tuning);
  std::vector<std::size_t> const sizes{0, 1, 47, 4095, 4096, 4097, 65'536, 100'000, 1u << 20, 5};
  task_group group(w.where);
  group.spawn(send_large(w.from, w.into.local(), sizes));
  group.spawn(send_large(w.into, w.from.local(), sizes));
  group.spawn(receive_large(w.from, sizes));
  group.spawn(receive_large(w.into, sizes));
  block_on(w.where, joined(group));
  CHECK(w.on.counters().conn_reset == 0);
}

TEST_CASE("IB: types of service are connections of their own between addresses of a node too") {
  one_node<fake_ib> w;
  rdsco::socket urgent = bound(w.on, "10.0.0.1", 4001), answers = bound(w.on, "10.0.0.2", 5001);
  REQUIRE(!urgent.set_type_of_service(5));
  REQUIRE(!answers.set_type_of_service(5));
  block_on(w.where, exchange(w.where, w.from, w.into, 4));
  block_on(w.where, exchange(w.where, urgent, answers, 4));
  CHECK(w.fabric.connections() == 2);
  CHECK(w.on.tables().connections.size() == 4);
}

TEST_CASE("IB: that a port is congested is told through the adapter, and of no other port") {
  one_node<fake_ib> w;
  socket_options small;
  small.receive_buffer = 10'000;
  rdsco::socket const narrow = bound(w.on, "10.0.0.2", 5001, small);
  // Of the same number, at the sender's address.
  rdsco::socket const namesake = bound(w.on, "10.0.0.1", 5001);
  REQUIRE(!w.from.try_send_to(pattern(0, 20'000), narrow.local()));
  CHECK(comes_true(w.where, [&] { return w.from.try_send_to({}, narrow.local()) == errc::congested; }));
  CHECK(!w.from.try_send_to({}, w.into.local()));
  CHECK(!w.into.try_send_to({}, namesake.local()));
}

TEST_CASE("IB: a reader of the same node that stops, and goes on: nothing is lost") {
  socket_options small;
  small.receive_buffer = 10'000;
  one_node<fake_ib> w(quick_and_small(), small);
  task_group group(w.where);
  group.spawn(send_numbered(w.from, w.into.local(), 100));
  CHECK(comes_true(w.where, [&] { return w.on.counters().cong_update_received > 0; }));
  group.spawn(receive_numbered(w.into, 100));
  block_on(w.where, joined(group));
}

TEST_CASE("IB: both addresses connect at once, in one loop: one connection comes of it") {
  for (unsigned turns = 0; turns < 12; ++turns) {
    INFO("the other " << turns << " turns later");
    one_node<fake_ib> w;
    bool const one_first = turns % 2 == 0;
    rdsco::socket& first = one_first ? w.from : w.into;
    rdsco::socket& second = one_first ? w.into : w.from;
    REQUIRE(!first.try_send_to(pattern(0, 0), second.local()));
    turn(w.where, turns / 2);
    REQUIRE(!second.try_send_to(pattern(0, 0), first.local()));
    block_on(w.where, receive_numbered(w.from, 1));
    block_on(w.where, receive_numbered(w.into, 1));
    CHECK(!block_on(w.where, w.from.drain(patience)).ec);
    CHECK(!block_on(w.where, w.into.drain(patience)).ec);
    CHECK(w.fabric.connections() == 1);
    CHECK(w.on.counters().rdsco_accept_refused_peer == 0);
  }
}

TEST_CASE("IB: the connection breaks again and again in mid-transfer: everything arrives once and in order") {
  one_node<fake_ib> w(quick_and_small());
  std::uint64_t messages = 0;
  w.fabric.on_message = [&](ibv_send_wr const&, std::span<std::byte const>) {
    if (++messages % 97 == 0) w.where.post([&] { w.fabric.break_connections(one_host, other_host); });
  };
  block_on(w.where, exchange(w.where, w.from, w.into, 600));
  w.fabric.on_message = nullptr;
  CHECK(w.on.counters().conn_reset >= 10);
  CHECK(w.on.counters().rdsco_retransmitted >= 5);
}

TEST_CASE("IB: an adapter that does not reach itself is an unreachable peer, and is asked again") {
  one_node<fake_ib> w;
  w.fabric.rules.reaches_itself = false;
  CHECK(block_on(w.where, sent_within(20ms, w.from, pattern(0, 100), w.into.local())).ec == errc::withdrawn);
  bool told = false;
  for (auto const& row : w.on.tables().connections) told |= row.trouble == std::make_error_code(std::errc::host_unreachable).message();
  CHECK(told);
  CHECK(w.into.try_receive().ec == errc::would_block);
  w.fabric.rules.reaches_itself = true;
  block_on(w.where, exchange(w.where, w.from, w.into, 8));
}

TEST_CASE("IB: nobody else comes in under an address of the node") {
  one_node<fake_ib> w;
  for (bool const connected : {false, true}) {
    INFO((connected ? "while the two are connected" : "before they are"));
    if (connected) block_on(w.where, exchange(w.where, w.from, w.into, 4));
    for (address const& as : {other_host, one_host}) {
      // To itself no address connects.
      auto const& refused = as == one_host ? w.on.counters().rdsco_accept_refused_peer : w.on.counters().rdsco_accept_refused_order;
      std::uint64_t const before = refused;
      raw_verbs_peer stranger(w.fabric, as);
      stranger.connect(endpoint(one_host, verbs_options().port_v4), stranger.honest(one_host));
      CHECK(comes_true(w.where, [&] { return stranger.heard(verbs::cm_event::kind::rejected).has_value(); }));
      CHECK(refused == before + 1);
    }
  }
  for (auto const& row : w.on.tables().connections) CHECK(row.drops == 0);
}

TEST_CASE("IB: each of two addresses counts as a peer of the other") {
  one_node<fake_ib> w;
  node_options narrow;
  narrow.own<fake_ib>(at("10.0.0.3")).own<fake_ib>(at("10.0.0.4"));
  narrow.verbs = quick();
  narrow.limits.peers = 1;
  narrow.limits.connect = 100ms;
  node full = test::open(w.where, narrow);
  {
    rdsco::socket from = bound(full, "10.0.0.3");
    REQUIRE(!from.try_send_to({}, to("10.0.0.4", 5000)));
    CHECK(comes_true(w.where, [&] { return full.counters().rdsco_accept_refused_limit > 0; }));
  }
  block_on(w.where, closed(full));
}

TEST_CASE("IB: the adapter of both ends is pulled out under load, and put in again") {
  one_node<fake_ib> w(quick());
  block_on(w.where, exchange(w.where, w.from, w.into, 8));
  for (unsigned time = 0; time < 8; ++time) {
    INFO("time " << time);
    task_group load(w.where);
    load.spawn(send_numbered(w.from, w.into.local(), 40));
    load.spawn(send_numbered(w.into, w.from.local(), 40));
    load.spawn(receive_numbered(w.from, 40));
    load.spawn(receive_numbered(w.into, 40));
    turn(w.where, 3 * time);
    w.fabric.remove_device(one_host);
    CHECK(comes_true(w.where, [&] { return w.fabric.alive_on(one_host) == 0; }));
    w.fabric.restore_device(one_host);
    block_on(w.where, joined(load));
  }
  CHECK(w.on.counters().rdsco_verbs_device_removed == 8);
  CHECK(!block_on(w.where, w.from.drain(patience)).ec);
  CHECK(!block_on(w.where, w.into.drain(patience)).ec);
}

// A wait for the time of a connection to run out would be one for ever.
TEST_CASE("IB: a node is closed under load, at another moment each time; both ends go, and nobody waits for a time to run out") {
  for (unsigned life = 0; life < 200; ++life) {
    INFO("life " << life);
    fake_fabric fabric;
    current_fabric = &fabric;
    loop where;
    {
      node_options options;
      options.own<fake_ib>(one_host).own<fake_ib>(other_host);
      options.verbs = quick_and_small();
      options.limits.connect = 1h;
      node on = test::open(where, options);
      rdsco::socket from = bound(on, "10.0.0.1"), into = bound(on, "10.0.0.2");
      task_group load(where);
      load.spawn(send_endlessly(from, into.local(), until::accepted));
      load.spawn(send_endlessly(into, from.local(), until::acknowledged));
      load.spawn(receive_endlessly(from));
      load.spawn(receive_endlessly(into));
      turn(where, life % 67 * 2);
      if (life % 4 == 1) fabric.hold_sends(one_host, true);
      if (life % 4 == 2) into.close();
      if (life % 4 == 3) fabric.remove_device(one_host);
      REQUIRE(!block_on(where, with_timeout(patience, closed(on))).ec);
      CHECK(on.memory_in_use() == 0);
      block_on(where, joined(load));
    }
    REQUIRE(fabric.alive() == 0);
    CHECK(where.frames() == 0);
    current_fabric = nullptr;
  }
}
