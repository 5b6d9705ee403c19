// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a peer ends what was offered to another, or what it was never told of; what it says of its own memory is believed
// without bounds, or takes the node along.
// Forced by: a scripted peer whose headers say just that, beside an honest one.

#include "protocol/extension.hpp"
#include "verbs/raw_verbs_peer.hpp"
#include "verbs/remote_nodes.hpp"

#include <initializer_list>

namespace {

using namespace rdsco;
using namespace rdsco::test;
using kind = verbs::cm_event::kind;
using area = std::array<std::byte, protocol::extension_bytes>;

constexpr std::uint16_t bound_port = 4000;

area of(std::initializer_list<unsigned> bytes) {
  area made{};
  std::ranges::transform(bytes, made.begin(), [](unsigned each) { return std::byte(each); });
  return made;
}

area naming(std::uint32_t key) {
  protocol::extension_list made;
  REQUIRE(made.append_rdma(key));
  return made.bytes();
}

task<result<memory_offer>> use_once_offer(region& own, address peer) {
  offer_terms terms;
  terms.use_once = true;
  co_return co_await own.offer(peer, 0, own.size(), terms);
}
task<result<>> sent_with(rdsco::socket& by, endpoint there, memory_offer& offered) {
  co_return co_await with_timeout(patience, by.send_to("offer", there, offered));
}
task<std::error_code> outcome_of(memory_offer& offered) {
  auto const over = co_await with_timeout(patience, offered.over());
  co_return over.ec;
}

/// A node with memory, an honest peer, and one that says what its test says.
template <class How>
struct attacked : two_with_memory<How> {
  address const near_host = at("10.0.0.1"), attacker = at("10.0.0.9");
  endpoint const listener{near_host, verbs_options().port_v4};
  raw_verbs_peer peer{this->fabric, attacker};
  std::vector<std::byte> memory = zeros(1000);
  region own;

  attacked() {
    exchange(*this, 4);
    own = block_on(this->where, local_memory(this->from, memory));
    auto request = peer.honest(near_host);
    request.initial_credit = 16;
    peer.connect(listener, request);
    REQUIRE(comes_true(this->where, [&] { return peer.heard(kind::established).has_value(); }));
  }
  ~attacked() {
    exchange(*this, 4);
    peer.end();
    static_cast<void>(close(this->where, own, true));
  }
  attacked(attacked const&) = delete;
  attacked& operator=(attacked const&) = delete;

  // The node has taken it, if it took it.
  message says(area const& extensions) {
    protocol::header head;
    head.sequence = ++sequence_;
    head.length = 4;
    head.source_port = 7;
    head.destination_port = bound_port;
    head.extensions = extensions;
    head.ack = acknowledged_;
    head.credit = 1;
    REQUIRE(peer.send(frame_of(head, 4)) == 0);
    auto got = block_on(this->where, next_of(this->from));
    REQUIRE(!got.ec);
    REQUIRE(got.data.from() == endpoint(attacker, 7));
    return std::move(got.data);
  }
  /// Offers the memory for one use, and what the wire says of it.
  memory_offer offer_to(endpoint there, std::uint32_t& key) {
    this->fabric.on_message = [&](ibv_send_wr const&, std::span<std::byte const> frame) {
      auto const head = protocol::decode(frame.first<protocol::header_bytes>());
      auto const values = protocol::parse_extensions(head.extensions);
      if (values.rdma_destination) key = values.rdma_destination->key;
      if (values.wide_destination) key = values.wide_destination->key;
      if (key != 0 && there.host == attacker) acknowledged_ = head.sequence;
    };
    auto made = block_on(this->where, use_once_offer(own, there.host));
    REQUIRE(!made.ec);
    REQUIRE(!block_on(this->where, sent_with(this->from, there, made.data)).ec);
    REQUIRE(comes_true(this->where, [&] { return key != 0; }));
    this->fabric.on_message = nullptr;
    return std::move(made.data);
  }

 private:
  std::uint64_t sequence_ = 0, acknowledged_ = 0;
};

}  // namespace

TEMPLATE_TEST_CASE("verbs: a peer ends only what was offered to itself, and once", "", EVERY_WAY) {
  attacked<TestType> w;
  std::uint32_t honest_key = 0, own_key = 0;
  memory_offer honest = w.offer_to(w.into.local(), honest_key);
  static_cast<void>(block_on(w.where, next_of(w.into)));
  static_cast<void>(w.says(naming(honest_key)));
  CHECK(honest.usable());
  memory_offer mine = w.offer_to(endpoint(w.attacker, 7), own_key);
  static_cast<void>(w.says(naming(own_key + 1)));
  CHECK(mine.usable());
  static_cast<void>(w.says(naming(own_key)));
  CHECK_FALSE(mine.usable());
  CHECK(!block_on(w.where, outcome_of(mine)));
  static_cast<void>(w.says(naming(own_key)));
  static_cast<void>(w.says(naming(honest_key)));
  CHECK(honest.usable());
}

TEMPLATE_TEST_CASE("verbs: a peer does not end what it was not told of", "", EVERY_WAY) {
  attacked<TestType> w;
  auto made = block_on(w.where, use_once_offer(w.own, w.attacker));
  REQUIRE(!made.ec);
  static_cast<void>(w.says(naming(0)));
  CHECK(made.data.usable());
}

TEMPLATE_TEST_CASE("verbs: memory that a peer does not have is out of reach, and nothing else happens", "", EVERY_WAY) {
  attacked<TestType> w;
  std::vector<std::byte> data(8);
  region const local = block_on(w.where, local_memory(w.from, data));
  // At most so much of it is an offer; of garbage the adapter of the peer has to say what it is worth.
  struct claim {
    char const* what;
    area said;
    bool offered;
  };
  for (claim const& each : {
           claim{"garbage", of({3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), true},
           claim{"key 0", of({3}), true},
           claim{"cut off", of({2, 1, 1, 1, 1, 1, 0, 0, 0, 0, 3, 1, 2, 3, 4, 5}), false},
           claim{"behind what is not known", of({9, 3, 1, 2, 3, 4, 5, 6, 7, 8}), false},
           claim{"wide", of({0xd6, 1, 2, 3, 4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), true},
           claim{"wide and cut off", of({2, 1, 1, 1, 1, 0xd6, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}), true},
           claim{"wide, with no room", of({3, 0, 0, 0, 0, 0, 0, 0, 0, 0xd6, 1, 2, 3, 4, 5, 6}), true},
       }) {
    INFO(each.what);
    auto const said = w.says(each.said);
    auto const found = said.offered();
    CHECK(found.has_value() == each.offered);
  }
  auto const said = w.says(of({3, 1, 2, 3, 4, 0xff, 0xff, 0xff, 0xff}));
  std::uint64_t const before = w.near.counters().conn_reset;
  for (operation const what : {operation::write, operation::read}) {
    auto const done = block_on(w.where, with_timeout(patience, carry_out(what, w.from, local.all(), *said.offered())));
    INFO(done.ec.message());
    CHECK((done.ec == errc::remote_access || done.ec == errc::operation_dropped || done.ec == errc::stale_offer));
  }
  CHECK(w.near.counters().conn_reset == before + 1);
}
