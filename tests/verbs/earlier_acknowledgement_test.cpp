// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: connections that all end before an acknowledgement gets through carry nothing for ever; what private data say of an
// earlier connection retires what was never received, because somebody lies, or speaks of another life of this node.
// Forced by: fabrics that lose every acknowledgement and the connection with it, and a scripted peer that tells what it likes.

#include "verbs/faulty_exchange.hpp"
#include "verbs/raw_verbs_peer.hpp"

namespace {

using namespace rdsco;
using namespace rdsco::test;
using kind = verbs::cm_event::kind;

address const near_host = at("10.0.0.1");
address const far_host = at("10.0.0.2");
address const peer_host = at("10.0.0.9");
endpoint const listener(near_host, verbs_options().port_v4);

// Frames that say nothing but an acknowledgement are lost, and the connection ends with them.
void lose_acknowledgements(two_on_fabric& w) {
  w.fabric.faults.swallow = [&w](ibv_send_wr const&, std::span<std::byte const> frame) {
    if (frame.size() != protocol::header_bytes || protocol::decode(frame.first<protocol::header_bytes>()).sequence != 0) return false;
    w.where.post([&w] { w.fabric.break_connections(near_host, far_host); });
    return true;
  };
}

template <class Transport>
void acknowledge_by_private_data() {
  two_on<Transport> w(quick());
  lose_acknowledgements(w);
  for (std::uint64_t turn = 0; turn < 5; ++turn) {
    INFO("turn " << turn);
    // The smaller address and the larger one.
    for (auto const& [by, other] : {std::pair(&w.from, &w.into), std::pair(&w.into, &w.from)}) {
      auto const payload = pattern(turn, 20'000);
      CHECK(!block_on(w.where, sent_within(patience, *by, payload, other->local())).ec);
      auto const got = block_on(w.where, next_of(*other));
      REQUIRE(!got.ec);
      CHECK(matches(got.data, turn, 20'000));
      CHECK(other->try_receive().ec);
    }
  }
  CHECK(w.near.counters().conn_reset >= 5);
  w.fabric.faults.swallow = nullptr;
}

// A peer at which nobody listens: it connects, and then has what the node wanted to send.
struct with_peer : two_on<fake_ib> {
  raw_verbs_peer peer{fabric, peer_host};
  std::uint16_t own_life = 0;  // of the near node, as it told it

  with_peer() : two_on(quick()) {}

  /// The reply, or nothing if the request was rejected.
  std::optional<protocol::cm_private_data> come_in(std::uint16_t life, std::uint64_t ack, std::uint16_t ack_life) {
    auto told = peer.honest(near_host);
    told.life = life;
    told.ack = ack;
    told.ack_life = ack_life;
    // The near node wants to connect, too: while it tries, it takes nobody's request.
    std::uint64_t order = near.counters().rdsco_accept_refused_order;
    do {
      order = near.counters().rdsco_accept_refused_order;
      peer.connect(listener, told);
      REQUIRE(comes_true(where, [&] { return peer.heard(kind::established) || peer.heard(kind::rejected); }));
    } while (near.counters().rdsco_accept_refused_order != order);
    auto const accepted = peer.heard(kind::established);
    if (!accepted) return std::nullopt;
    auto const reply = protocol::decode_cm(protocol::address_family::v4, accepted->told());
    REQUIRE(reply);
    own_life = reply->life;
    return reply;
  }
  [[nodiscard]] connection_row row() const {
    for (auto const& each : near.tables().connections)
      if (each.peer == peer_host) return each;
    return {};
  }
  [[nodiscard]] std::size_t unacknowledged() const {
    auto const now = near.tables();
    return now.send_queue.size() + now.retransmit_queue.size();
  }
  /// So many datagrams have been sent and are not acknowledged; their last number.
  std::uint64_t sent_in_vain(int count) {
    REQUIRE(come_in(7, 0, 0));
    for (int index = 0; index < count; ++index) REQUIRE(!from.try_send_to(pattern(0, 100), endpoint(peer_host, 9)));
    REQUIRE(comes_true(where, [&] { return near.tables().retransmit_queue.size() == static_cast<std::size_t>(count); }));
    return row().next_sent - 1;
  }
};

}  // namespace

TEST_CASE("no acknowledgement ever gets through but those in private data: what was received is not sent again for ever") {
  acknowledge_by_private_data<fake_ib>();
  acknowledge_by_private_data<fake_iwarp>();
}

TEST_CASE("a request tells what the last connection brought: just that is retired") {
  with_peer w;
  std::uint64_t const last = w.sent_in_vain(3);
  REQUIRE(w.come_in(7, last - 1, w.own_life));
  CHECK(comes_true(w.where, [&] { return w.unacknowledged() == 1; }));
  CHECK(w.near.counters().rdsco_retired_by_ack == 2);
  REQUIRE(w.come_in(7, last, w.own_life));
  CHECK(comes_true(w.where, [&] { return w.unacknowledged() == 0; }));
  CHECK(w.near.counters().rdsco_retired_by_ack == 3);
  CHECK(!block_on(w.where, w.from.drain(patience)).ec);
  // Once more says nothing new.
  CHECK(w.come_in(7, last, w.own_life));
  CHECK(w.near.counters().rdsco_ack_future == 0);
  w.peer.end();
}

TEST_CASE("what another life of this node sent is not acknowledged, and neither is anything by who tells no life") {
  with_peer w;
  std::uint64_t const last = w.sent_in_vain(2);
  for (std::uint64_t const ack : {last, ~std::uint64_t{0}}) {
    CHECK(w.come_in(7, ack, static_cast<std::uint16_t>(w.own_life + 1)));
    CHECK(w.come_in(7, ack, 0));
    CHECK(w.come_in(0, ack, 0));
  }
  CHECK(w.unacknowledged() == 2);
  CHECK(w.near.counters().rdsco_retired_by_ack == 0);
  CHECK(w.near.counters().rdsco_ack_future == 0);
  w.peer.end();
}

TEST_CASE("a request that acknowledges what was never sent is rejected and counted") {
  with_peer w;
  std::uint64_t const last = w.sent_in_vain(2);
  for (std::uint64_t const ack : {last + 1, ~std::uint64_t{0}}) {
    std::uint64_t const before = w.near.counters().rdsco_ack_future;
    CHECK_FALSE(w.come_in(7, ack, w.own_life));
    CHECK(w.near.counters().rdsco_ack_future == before + 1);
    CHECK(w.unacknowledged() == 2);
  }
  REQUIRE(w.come_in(7, last, w.own_life));
  CHECK(comes_true(w.where, [&] { return w.unacknowledged() == 0; }));
  w.peer.end();
}

TEST_CASE("a reply that acknowledges what was never sent ends the attempt and is counted") {
  two_on<fake_ib> w(quick());
  exchange(w, 4);
  std::uint16_t asking = 0;
  w.fabric.on_private_data = [&](std::vector<std::byte>& bytes) {
    auto told = *protocol::decode_cm(protocol::address_family::v4, bytes);
    if (bytes.size() == 56) asking = told.life;
    if (bytes.size() != 196) return;
    told.ack = ~std::uint64_t{0};
    told.ack_life = asking;
    protocol::encode_v4(told, std::span(bytes).first<protocol::cm_private_v4_bytes>());
  };
  w.fabric.break_connections(near_host, far_host);
  REQUIRE(!w.from.try_send_to(pattern(0, exchanged_size(0)), w.into.local()));
  REQUIRE(comes_true(w.where, [&] { return w.near.counters().rdsco_ack_future >= 2; }));
  CHECK(w.near.counters().rdsco_connect_failed >= 2);
  CHECK(w.near.tables().connections.at(0).trouble == std::make_error_code(std::errc::bad_message).message());
  w.fabric.on_private_data = nullptr;
  block_on(w.where, receive_numbered(w.into, 1));
}

TEST_CASE("a peer is told what it sent last if it told its life, and a kernel nothing") {
  with_peer w;
  protocol::header head;
  head.source_port = 7;
  head.destination_port = 4000;
  for (std::uint16_t const life : {std::uint16_t{0}, std::uint16_t{7}, std::uint16_t{8}}) {
    INFO("life " << life);
    head.sequence = 100u + life;
    REQUIRE(w.come_in(life, 0, 0));
    REQUIRE(w.peer.send(frame_of(head)) == 0);
    REQUIRE(!block_on(w.where, next_of(w.from)).ec);
    auto const reply = w.come_in(life, 0, 0);
    REQUIRE(reply);
    CHECK(reply->ack == (life == 0 ? 0 : head.sequence));
    CHECK(reply->ack_life == life);
    CHECK(reply->life != 0);
    // Of a connection that brought nothing, nothing.
    CHECK(w.come_in(life, 0, 0)->ack == 0);
  }
  w.peer.end();
}
