// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: credits are not what was posted, are sent where nobody counts them, or are missing and believed; a side whose messages
// are not read stops acknowledging; a capability changes nothing.
// Forced by: private data and headers as the fake adapters carry them, private data that is changed under way, and a reader that stops
// with every receive of its ring taken.

#include "protocol/byte_order.hpp"
#include "protocol/cm_private_data.hpp"
#include "protocol/header.hpp"
#include "verbs/fake_nodes.hpp"

namespace {

using namespace rdsco;
using namespace rdsco::test;

constexpr std::size_t credit_at = 24;  // in private data of IPv4

struct seen {
  std::vector<std::size_t> lengths;
  std::vector<std::uint32_t> initial;
  std::uint64_t messages = 0, credits = 0, solicited = 0;

  void watch(fake_fabric& fabric) {
    fabric.on_private_data = [this](std::vector<std::byte>& told) {
      lengths.push_back(told.size());
      initial.push_back(protocol::decode_cm(protocol::address_family::v4, told)->initial_credit);
    };
    fabric.on_message = [this](ibv_send_wr const& request, std::span<std::byte const> bytes) {
      ++messages;
      credits += protocol::decode(bytes.first<protocol::header_bytes>()).credit;
      solicited += (request.send_flags & IBV_SEND_SOLICITED) != 0;
    };
  }
};

task<> one_each_way(two_on_fabric& w, std::size_t bytes) {
  for (auto const& [by, other] : {std::pair(&w.from, &w.into), std::pair(&w.into, &w.from)}) {
    auto const payload = pattern(1, bytes);
    auto const sent = co_await with_timeout(patience, by->send_to(payload, other->local(), until::acknowledged));
    REQUIRE(!sent.ec);
    auto const got = co_await with_timeout(patience, other->receive());
    REQUIRE(!got.ec);
    REQUIRE(matches(got.data, 1, bytes));
  }
}

task<> send_many(rdsco::socket& by, endpoint to, std::uint64_t count) {
  for (std::uint64_t index = 0; index < count; ++index) {
    auto const payload = pattern(index, 9000);
    auto const sent = co_await with_timeout(patience, by.send_to(payload, to, until::acknowledged));
    REQUIRE(!sent.ec);
  }
}

task<> receive_one(rdsco::socket& by, std::uint64_t index, std::size_t bytes) {
  auto const got = co_await with_timeout(patience, by.receive());
  REQUIRE(!got.ec);
  REQUIRE(matches(got.data, index, bytes));
}

task<> receive_many(rdsco::socket& by, std::uint64_t count) {
  for (std::uint64_t index = 0; index < count; ++index) co_await receive_one(by, index, 9000);
}


void set_credit(std::vector<std::byte>& told, std::uint32_t to) { protocol::store_big_endian(told.data() + credit_at, to); }

}  // namespace

TEST_CASE("InfiniBand: no credit is told of, messages are announced, private data is padded") {
  two_on<fake_ib> w;
  seen what;
  what.watch(w.fabric);
  block_on(w.where, one_each_way(w, 1u << 20));
  CHECK(what.lengths == std::vector<std::size_t>{56, 196});
  CHECK(what.initial == std::vector<std::uint32_t>{0, 0});
  CHECK(what.credits == 0);
  CHECK(w.fabric.receiver_waits == std::vector<std::uint8_t>{10, 10});
  CHECK(what.solicited >= 4);
}

TEST_CASE("iWARP: both sides tell of every posted receive, and private data is as long as it is") {
  two_on<fake_iwarp> w;
  seen what;
  what.watch(w.fabric);
  block_on(w.where, one_each_way(w, 1u << 20));
  std::uint32_t const ring = verbs_options().receives;
  CHECK(what.lengths == std::vector<std::size_t>{32, 32});
  CHECK(what.initial == std::vector<std::uint32_t>{ring, ring});
  CHECK(what.messages > 512);
  // What was not told of yet fits into one ring.
  CHECK(what.credits + ring >= what.messages);
  CHECK(what.credits <= what.messages);
  CHECK(what.solicited == 0);
  CHECK(w.fabric.receiver_waits.empty());
}

TEST_CASE("InfiniBand: credits of a peer are not looked at") {
  two_on<fake_ib> w;
  w.fabric.on_private_data = [](std::vector<std::byte>& told) { set_credit(told, 1); };
  block_on(w.where, one_each_way(w, 1u << 20));
}

TEST_CASE("iWARP: a peer that posts no receives is not connected to, in either direction") {
  for (std::size_t side : {std::size_t{0}, std::size_t{1}}) {
    two_on<fake_iwarp> w;
    std::size_t told_of = 0;
    w.fabric.on_private_data = [&](std::vector<std::byte>& told) {
      if (told.size() == protocol::cm_private_v4_bytes && told_of++ % 2 == side) set_credit(told, 0);
      if (told.size() != protocol::cm_private_v4_bytes) told_of = 0;  // refused: a request comes next
    };
    REQUIRE(!w.from.try_send_to(pattern(0, 0), w.into.local()));
    w.wait_until([&] { return w.near.counters().rdsco_connect_failed >= 3; });
    CHECK(w.far.counters().recv_queued == 0);
    w.fabric.on_private_data = nullptr;
    block_on(w.where, receive_one(w.into, 0, 0));
  }
}

TEST_CASE("iWARP: rings that are too small for credits are made large enough") {
  verbs_options tuning;
  tuning.receives = 1;
  tuning.sends = 3;
  two_on<fake_iwarp> w(tuning);
  block_on(w.where, one_each_way(w, 100'000));
}

TEST_CASE("iWARP: types of service are one connection") {
  socket_options urgent;
  urgent.type_of_service = 5;
  two_on<fake_iwarp> w({}, urgent);
  rdsco::socket plain = bound(w.near, "10.0.0.1", 4001);
  block_on(w.where, one_each_way(w, 10));
  REQUIRE(!plain.try_send_to(pattern(0, 0), w.into.local()));
  block_on(w.where, receive_one(w.into, 0, 0));
  CHECK(w.fabric.connections() == 1);
}

TEST_CASE("iWARP: what is held back for a reader does not hold up the other direction") {
  // In the larger ring a slot that comes free does not make a posting worth a call.
  std::uint32_t const ring = GENERATE(4u, 16u);
  verbs_options tuning;
  tuning.receives = ring;
  tuning.sends = 3;
  socket_options small;
  small.receive_buffer = 10'000;
  two_on<fake_iwarp> w(tuning, small);
  rdsco::socket other = bound(w.far, "10.0.0.2", 5001);
  // The first makes the far node stop reading its peer; the second then takes receives that it would need. What it sends meanwhile is
  // acknowledged all the same, by frames that are taken early or because it reads on while it waits for acknowledgements.
  REQUIRE(!w.from.try_send_to(pattern(0, 1u << 20), w.into.local()));
  REQUIRE(!w.from.try_send_to(pattern(1, 100'000), other.local()));
  std::uint64_t held = 0;
  w.fabric.on_message = [&](ibv_send_wr const&, std::span<std::byte const> bytes) {
    held += protocol::decode(bytes.first<protocol::header_bytes>()).destination_port == other.local().port;
  };
  w.wait_until([&] { return w.far.counters().rdsco_reading_stopped == 1 && held >= ring / 2; });
  {
    task_group group(w.where);
    group.spawn(send_many(other, w.from.local(), 40));
    group.spawn(receive_many(w.from, 40));
    block_on(w.where, joined(group));
  }
  block_on(w.where, receive_one(w.into, 0, 1u << 20));
  block_on(w.where, receive_one(other, 1, 100'000));
}

TEST_CASE("iWARP: a side that reads nothing more, whoever owes it what, still hears that its own messages arrived") {
  // In a ring of so many a slot that comes free does not make a posting worth a call.
  verbs_options tuning;
  tuning.receives = 16;
  tuning.sends = 3;
  two_on<fake_iwarp> w(tuning);
  node_options little;
  little.own<fake_iwarp>(at("10.0.0.3")).allow(net("10.0.0.0/24"));
  little.verbs = tuning;
  little.limits.message_bytes = 1u << 16;
  little.limits.memory_bytes = 2u << 20;
  node full = test::open(w.where, little);
  {
    // More than the share of its memory that one peer may have; then as many frames as it has receives, all but one.
    rdsco::socket other = bound(full, "10.0.0.3", 5000);
    constexpr std::uint64_t count = 20;
    constexpr std::size_t bytes = 60'000;
    for (std::uint64_t index = 0; index < count; ++index) REQUIRE(!w.from.try_send_to(pattern(index, bytes), other.local()));
    w.wait_until([&] {
      auto const rows = w.near.tables().ib_connections;
      return full.counters().rdsco_reading_stopped_share == 1 && rows.size() == 1 && rows[0].credits == 1;
    });
    task_group group(w.where);
    group.spawn(send_many(other, w.from.local(), 40));
    group.spawn(receive_many(w.from, 40));
    block_on(w.where, joined(group));
    for (std::uint64_t index = 0; index < count; ++index) block_on(w.where, receive_one(other, index, bytes));
  }
  block_on(w.where, [](node& ending) -> task<> { co_await ending.close(); }(full));
}
