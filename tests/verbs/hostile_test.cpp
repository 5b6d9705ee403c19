// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a peer that speaks for another host, of a version that is not understood, or frames that are no RDS, takes the node
// along, or its other peers, or its memory.
// Forced by: a scripted peer that asks and sends just that, beside an honest one whose connection must not notice.

#include "verbs/faulty_exchange.hpp"
#include "verbs/raw_verbs_peer.hpp"

#include <cstring>

namespace {

using namespace rdsco;
using namespace rdsco::test;
using kind = verbs::cm_event::kind;

constexpr std::uint16_t bound_port = 4000;
address const own_host = at("10.0.0.1");
endpoint const listener = endpoint(own_host, verbs_options().port_v4);

struct attacked : two_on<fake_ib> {
  raw_verbs_peer peer{fabric, at("10.0.0.9")};

  explicit attacked(socket_options const& buffers = {}) : two_on(quick(), buffers) { exchange(*this, 8); }
  ~attacked() {
    exchange(*this, 8);
    for (auto const& row : near.tables().connections) {
      if (row.peer == at("10.0.0.2")) CHECK(row.drops == 0);
    }
    CHECK(near.memory_in_use() == 0);
    peer.end();
  }
  attacked(attacked const&) = delete;
  attacked& operator=(attacked const&) = delete;

  [[nodiscard]] bool hears(kind what) {
    return comes_true(where, [&] { return peer.heard(what).has_value(); });
  }
  void come_in() {
    peer.connect(listener, peer.honest(own_host));
    REQUIRE(hears(kind::established));
  }
};

std::int32_t rejection(verbs::cm_event const& event) {
  std::int32_t code = 0;
  REQUIRE(event.told().size() >= sizeof code);
  std::memcpy(&code, event.told().data(), sizeof code);
  return code;
}

protocol::header data_header(std::uint32_t length, std::uint64_t sequence = 1) {
  protocol::header made;
  made.sequence = sequence;
  made.length = length;
  made.source_port = 7;
  made.destination_port = bound_port;
  return made;
}

}  // namespace

TEST_CASE("requests that claim what is not so are rejected in the way that lets a kernel try again") {
  attacked w;
  auto const& counted = w.near.counters();
  struct claim {
    char const* what;
    void (*change)(protocol::cm_private_data&);
    std::uint64_t const& counter;
  };
  for (claim const& each : {
           claim{"another source", [](auto& told) { told.source = at("10.0.0.2").bytes(); }, counted.rdsco_accept_refused_peer},
           claim{"another destination", [](auto& told) { told.destination = at("10.0.0.2").bytes(); }, counted.rdsco_accept_refused_peer},
           claim{"version 3.0", [](auto& told) { told.version = {3, 0}; }, counted.rdsco_accept_refused_limit},
           claim{"version 5.0", [](auto& told) { told.version = {5, 0}; }, counted.rdsco_accept_refused_limit},
           claim{"version 4 without a minor one that is known", [](auto& told) { told.version = {4, 2}, told.minor_mask = 4; },
                 counted.rdsco_accept_refused_limit},
           claim{"version 4 with other fragments", [](auto& told) { told.version = {4, 1}, told.fragment_size = 16384; },
                 counted.rdsco_accept_refused_limit},
       }) {
    INFO(each.what);
    std::uint64_t const before = each.counter;
    auto told = w.peer.honest(own_host);
    each.change(told);
    w.peer.connect(listener, told);
    REQUIRE(w.hears(kind::rejected));
    CHECK(rejection(*w.peer.heard(kind::rejected)) == 1);
    CHECK_FALSE(w.peer.heard(kind::established));
    CHECK(each.counter == before + 1);
  }
}

TEST_CASE("versions that are understood are answered with what was chosen") {
  attacked w;
  struct offer {
    protocol::protocol_version version;
    std::uint16_t mask;
    protocol::protocol_version chosen;
  };
  for (offer const& each : {offer{{3, 1}, 3, {3, 1}}, offer{{4, 0}, 1, {4, 0}}, offer{{4, 1}, 3, {4, 1}}, offer{{0, 0}, 0, {4, 0}}}) {
    INFO(int(each.version.major) << '.' << int(each.version.minor));
    auto told = w.peer.honest(own_host);
    if (each.version.major == 0) told = {};
    told.version = each.version;
    told.minor_mask = each.mask;
    w.peer.connect(listener, told);
    REQUIRE(w.hears(kind::established));
    auto const reply = protocol::decode_cm(protocol::address_family::v4, w.peer.heard(kind::established)->told());
    REQUIRE(reply);
    CHECK(reply->version == each.chosen);
    CHECK(reply->source == own_host.bytes());
    CHECK(reply->destination == at("10.0.0.9").bytes());
  }
}

TEST_CASE("hosts that are not allowed, and one with an address of the node's own, are rejected") {
  attacked w;
  for (auto const who : {at("10.9.0.1"), own_host}) {
    INFO(who.to_string());
    raw_verbs_peer stranger(w.fabric, who);
    std::uint64_t const before = w.near.counters().rdsco_accept_refused_peer;
    stranger.connect(listener, stranger.honest(own_host));
    REQUIRE(comes_true(w.where, [&] { return stranger.heard(kind::rejected).has_value(); }));
    CHECK(rejection(*stranger.heard(kind::rejected)) == 1);
    CHECK(w.near.counters().rdsco_accept_refused_peer == before + 1);
  }
}

TEST_CASE("frames that are no RDS reset the connection they came on") {
  attacked w;
  auto const& counted = w.near.counters();
  auto const broken = [](std::vector<std::byte> frame) { return frame[protocol::offset::checksum] ^= std::byte{1}, frame; };
  auto const changed = [](auto change) {
    auto head = data_header(8192, 5);
    change(head);
    return frame_of(head, 4096);
  };
  auto const first = frame_of(data_header(8192, 5), 4096);
  auto const longer = frame_of(data_header(4097), 4097);
  protocol::header future;
  future.ack = ~std::uint64_t{0};
  using frames = std::vector<std::vector<std::byte>>;
  struct attack {
    char const* what;
    frames sent;
    std::uint64_t const* counter;
  };
  std::vector<attack> const attacks{
      {"nothing at all", {std::vector<std::byte>()}, &counted.rdsco_drop_bad_frame},
      {"less than a header", {std::vector<std::byte>(47)}, &counted.rdsco_drop_bad_frame},
      {"wrong checksum", {broken(frame_of(data_header(4), 4))}, &counted.recv_drop_bad_checksum},
      {"more than a receive has room for", {longer}, &counted.conn_reset},
      {"announces more than a message may have", {frame_of(data_header((1u << 20) + 1), 4096)}, &counted.rdsco_drop_too_large},
      {"announces four gigabytes", {frame_of(data_header(~0u), 4096)}, &counted.rdsco_drop_too_large},
      {"announces more than it brings", {frame_of(data_header(100), 99)}, &counted.rdsco_drop_bad_frame},
      {"brings more than it announces", {frame_of(data_header(100), 101)}, &counted.rdsco_drop_bad_frame},
      {"another number in the middle", {first, changed([](auto& head) { ++head.sequence; })}, &counted.rdsco_drop_bad_frame},
      {"another length in the middle", {first, changed([](auto& head) { ++head.length; })}, &counted.rdsco_drop_bad_frame},
      {"another source in the middle", {first, changed([](auto& head) { ++head.source_port; })}, &counted.rdsco_drop_bad_frame},
      {"another destination in the middle", {first, changed([](auto& head) { ++head.destination_port; })}, &counted.rdsco_drop_bad_frame},
      {"a new message in the middle of one", {first, frame_of(data_header(1, 6), 1)}, &counted.rdsco_drop_bad_frame},
      {"acknowledges the future", {frame_of(future)}, &counted.rdsco_ack_future},
  };
  for (attack const& each : attacks) {
    INFO(each.what);
    w.come_in();
    std::uint64_t const before = *each.counter;
    std::uint64_t const resets = counted.conn_reset;
    for (auto const& frame : each.sent) REQUIRE(w.peer.send(frame) == 0);
    // Behind it nothing counts.
    static_cast<void>(w.peer.send(frame_of(data_header(3, 100), 3)));
    REQUIRE(w.hears(kind::disconnected));
    CHECK(*each.counter == before + 1);
    CHECK(counted.conn_reset == resets + 1);
    CHECK(w.from.try_receive().ec);
    CHECK(w.near.memory_in_use() == 0);
  }
}

TEST_CASE("a header without a checksum is as good as one with") {
  attacked w;
  w.come_in();
  auto frame = frame_of(data_header(4), 4);
  frame[protocol::offset::checksum] = frame[protocol::offset::checksum + 1] = std::byte{0};
  REQUIRE(w.peer.send(frame) == 0);
  auto const got = block_on(w.where, next_of(w.from));
  REQUIRE(!got.ec);
  CHECK(got.data.size() == 4);
  CHECK(got.data.from() == to("10.0.0.9", 7));
}

TEST_CASE("a message that ends in the middle is forgotten with its connection, again and again") {
  attacked w;
  for (std::uint64_t turn = 0; turn < 100; ++turn) {
    w.come_in();
    REQUIRE(w.peer.send(frame_of(data_header(1u << 20, turn + 1), 4096)) == 0);
    REQUIRE(comes_true(w.where, [&] { return w.near.memory_in_use() >= 1u << 20; }));
    CHECK(w.near.memory_in_use() < 3u << 19);
  }
  w.peer.end();
  CHECK(comes_true(w.where, [&] { return w.near.memory_in_use() == 0; }));
}

TEST_CASE("a sender that heeds no congestion fills what it may, and is then not read") {
  socket_options small;
  small.receive_buffer = 20'000;
  attacked w(small);
  w.come_in();
  std::size_t most = 0;
  std::uint64_t sent = 0;
  for (std::uint64_t turn = 0; turn < 3000; ++turn) {
    for (int more = 0; more < 8 && w.peer.send(frame_of(data_header(4000, sent + 1), 4000)) == 0; ++more) ++sent;
    static_cast<void>(w.where.poll());
    most = std::max(most, w.near.memory_in_use());
  }
  CHECK(sent > 200);
  CHECK(most > 50'000);
  CHECK(most < 2u << 20);
  CHECK(w.near.counters().rdsco_reading_stopped >= 1);
  // Everything that was taken is there, in order, and what was held back follows.
  for (std::uint64_t index = 0; index < sent; ++index) {
    auto const got = block_on(w.where, next_of(w.from));
    REQUIRE(!got.ec);
    REQUIRE(got.data.size() == 4000);
  }
}

TEST_CASE("a peer that asks again and again with other types of service has as many connections as the limit allows") {
  attacked w;
  node_options options;
  options.own<fake_ib>(at("10.0.0.3")).allow(net("10.0.0.0/24"));
  options.limits.peers = 4;
  node small = test::open(w.where, options);
  int accepted = 0;
  for (int service = 0; service < 256; ++service) {
    auto told = w.peer.honest(at("10.0.0.3"));
    told.type_of_service = static_cast<std::uint8_t>(service);
    w.peer.connect(endpoint(at("10.0.0.3"), listener.port), told);
    REQUIRE(comes_true(w.where, [&] { return w.peer.heard(kind::established) || w.peer.heard(kind::rejected); }));
    accepted += w.peer.heard(kind::established).has_value();
  }
  CHECK(accepted == 4);
  CHECK(small.counters().rdsco_accept_refused_limit == 252);
  CHECK(small.tables().connections.size() == 4);
  block_on(w.where, small.close());
}
