// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a version is proposed, answered or taken that this side does not speak; a peer that refuses the newest is never
// connected to.
// Forced by: nodes with each setting, a scripted peer that proposes what is in no kernel, and replies and requests that are changed
// on their way.

#include "verbs/faulty_exchange.hpp"
#include "verbs/raw_verbs_peer.hpp"

#include <algorithm>

namespace {

using namespace rdsco;
using namespace rdsco::test;
using kind = verbs::cm_event::kind;
using protocol::protocol_version;

std::string text_of(protocol_version version) { return std::to_string(version.major) + "." + std::to_string(version.minor); }

struct told {
  protocol_version version;
  std::uint16_t mask = 0;
  friend bool operator==(told const&, told const&) = default;
};

// Requests and replies as they pass, and what a test changes of them. Only for adapters that pad private data.
struct passing {
  std::vector<told> requests, replies;
  void (*on_request)(protocol::cm_private_data&) = nullptr;
  std::function<void(protocol::cm_private_data&)> on_reply;

  void watch(fake_fabric& fabric) {
    fabric.on_private_data = [this](std::vector<std::byte>& bytes) {
      bool const request = bytes.size() == 56;
      if (!request && bytes.size() != 196) return;
      auto passes = *protocol::decode_cm(protocol::address_family::v4, bytes);
      (request ? requests : replies).push_back({passes.version, passes.minor_mask});
      if (request && on_request != nullptr) on_request(passes);
      if (!request && on_reply) on_reply(passes);
      protocol::encode_v4(passes, std::span(bytes).first<protocol::cm_private_v4_bytes>());
    };
  }
};

verbs_options proposing(verbs_version newest) {
  verbs_options made = quick();
  made.newest = newest;
  return made;
}

template <class Transport>
void propose_each() {
  for (verbs_version const newest : {verbs_version::v3_1, verbs_version::v4_0, verbs_version::v4_1}) {
    two_on<Transport> w(proposing(newest));
    exchange(w, 8);
    CHECK(w.near.counters().conn_reset + w.far.counters().conn_reset == 0);
    CHECK(w.near.counters().rdsco_verbs_setup_failed + w.far.counters().rdsco_verbs_setup_failed == 0);
  }
}

}  // namespace

TEST_CASE("what is proposed is what runs between two nodes") {
  struct setting {
    verbs_version newest;
    told request;
    protocol_version chosen;
  };
  for (setting const& each : {setting{verbs_version::v3_1, {{3, 1}, 3}, {3, 1}}, setting{verbs_version::v4_0, {{4, 0}, 1}, {4, 0}},
                              setting{verbs_version::v4_1, {{4, 1}, 3}, {4, 1}}}) {
    INFO(text_of(each.chosen));
    two_on<fake_ib> w(proposing(each.newest));
    passing what;
    what.watch(w.fabric);
    REQUIRE(!w.from.try_send_to(pattern(0, exchanged_size(0)), w.into.local()));
    block_on(w.where, receive_numbered(w.into, 1));
    CHECK(what.requests == std::vector<told>{each.request});
    CHECK(what.replies == std::vector<told>{{each.chosen, 3}});
    w.fabric.on_private_data = nullptr;
    exchange(w, 8);
  }
}

TEST_CASE("every version carries traffic on both fabrics") {
  propose_each<fake_ib>();
  propose_each<fake_iwarp>();
}

TEST_CASE("a node answers every version as kernels do, whatever it proposes itself") {
  for (verbs_version const newest : {verbs_version::v3_1, verbs_version::v4_1}) {
    two_on<fake_ib> w(proposing(newest));
    raw_verbs_peer peer(w.fabric, at("10.0.0.9"));
    endpoint const listener(at("10.0.0.1"), verbs_options().port_v4);
    struct row {
      told request;
      std::optional<protocol_version> answer;
    };
    for (row const& each :
         {row{{{0, 0}, 0}, protocol_version{4, 0}}, row{{{4, 0}, 1}, protocol_version{4, 0}}, row{{{4, 0}, 3}, protocol_version{4, 1}},
          row{{{4, 1}, 2}, protocol_version{4, 1}}, row{{{4, 1}, 3}, protocol_version{4, 1}}, row{{{4, 7}, 0xff}, protocol_version{4, 1}},
          row{{{4, 2}, 4}, std::nullopt}, row{{{4, 1}, 0}, std::nullopt}, row{{{3, 1}, 3}, protocol_version{3, 1}},
          row{{{3, 1}, 0}, protocol_version{3, 1}}, row{{{3, 0}, 3}, std::nullopt}, row{{{3, 2}, 3}, std::nullopt},
          row{{{1, 0}, 3}, std::nullopt}, row{{{5, 0}, 3}, std::nullopt}, row{{{255, 255}, 0xffff}, std::nullopt}}) {
      INFO(text_of(each.request.version) << " mask " << each.request.mask);
      auto proposed = peer.honest(at("10.0.0.1"));
      if (each.request.version.major == 0) proposed = {};
      proposed.version = each.request.version;
      proposed.minor_mask = each.request.mask;
      peer.connect(listener, proposed);
      REQUIRE(comes_true(w.where, [&] { return peer.heard(kind::established) || peer.heard(kind::rejected); }));
      auto const accepted = peer.heard(kind::established);
      REQUIRE(accepted.has_value() == each.answer.has_value());
      if (!accepted) {
        CHECK(peer.heard(kind::rejected)->told().front() == std::byte{1});
        continue;
      }
      CHECK(protocol::decode_cm(protocol::address_family::v4, accepted->told())->version == each.answer);
    }
    peer.end();
  }
}

TEST_CASE("iWARP: a request without contents has no credits, and one that is cut short is nothing") {
  two_on<fake_iwarp> w(quick());
  raw_verbs_peer peer(w.fabric, at("10.0.0.9"));
  auto told = peer.honest(at("10.0.0.1"));
  told.initial_credit = 64;
  std::array<std::byte, protocol::cm_private_v4_bytes> bytes{};
  protocol::encode_v4(told, bytes);
  for (std::size_t const length : {std::size_t{0}, std::size_t{8}, std::size_t{27}}) {
    INFO(length << " bytes");
    peer.connect(endpoint(at("10.0.0.1"), verbs_options().port_v4), std::span(bytes).first(length));
    CHECK(comes_true(w.where, [&] { return peer.heard(kind::rejected).has_value(); }));
  }
  peer.connect(endpoint(at("10.0.0.1"), verbs_options().port_v4), bytes);
  CHECK(comes_true(w.where, [&] { return peer.heard(kind::established).has_value(); }));
  peer.end();
}

TEST_CASE("whoever proposed a 4.x that is refused proposes 3.1 next") {
  for (verbs_version const newest : {verbs_version::v4_0, verbs_version::v4_1}) {
    two_on<fake_ib> w(proposing(newest));
    passing what;
    // As a kernel that speaks nothing newer than 3.1 would.
    what.on_request = [](protocol::cm_private_data& request) {
      if (request.version.major == 4) request.version = {5, 0};
    };
    what.watch(w.fabric);
    REQUIRE(!w.from.try_send_to(pattern(0, exchanged_size(0)), w.into.local()));
    block_on(w.where, receive_numbered(w.into, 1));
    REQUIRE(what.requests.size() == 2);
    CHECK(what.requests[0].version.major == 4);
    CHECK(what.requests[1] == told{{3, 1}, 3});
    CHECK(what.replies == std::vector<told>{{{3, 1}, 3}});
    w.fabric.on_private_data = nullptr;
  }
}

TEST_CASE("a refusal that has nothing to do with versions: the newest has its turn again") {
  two_on<fake_ib> w(proposing(verbs_version::v4_1));
  passing what;
  what.on_request = [](protocol::cm_private_data& request) { request.source = at("10.0.0.7").bytes(); };
  what.watch(w.fabric);
  REQUIRE(!w.from.try_send_to(pattern(0, exchanged_size(0)), w.into.local()));
  REQUIRE(comes_true(w.where, [&] { return what.requests.size() >= 5; }));
  for (std::size_t index = 0; index < 5; ++index) CHECK(what.requests[index].version == (index % 2 == 0 ? protocol_version{4, 1} : protocol_version{3, 1}));
  what.on_request = nullptr;
  block_on(w.where, receive_numbered(w.into, 1));
  w.fabric.on_private_data = nullptr;
}

TEST_CASE("replies: what is known is taken, nothing counts as 4.1, and anything else ends the attempt") {
  struct row {
    protocol_version version;
    std::uint16_t fragment_size = 0;
    bool taken = false;
  };
  for (row const& each : {row{{3, 1}, 0, true}, row{{4, 0}, 0, true}, row{{4, 1}, 0, true}, row{{4, 1}, 4096, true}, row{{0, 0}, 0, true},
                          row{{3, 0}, 0, false}, row{{2, 9}, 0, false}, row{{1, 0}, 0, false}, row{{4, 2}, 0, false}, row{{5, 0}, 0, false},
                          row{{4, 1}, 16384, false}}) {
    INFO(text_of(each.version) << ", fragments of " << each.fragment_size);
    two_on<fake_ib> w(proposing(verbs_version::v4_1));
    passing what;
    what.on_reply = [&each](protocol::cm_private_data& reply) {
      if (each.version.major == 0) reply = {};
      reply.version = each.version;
      reply.fragment_size = each.fragment_size;
    };
    what.watch(w.fabric);
    REQUIRE(!w.from.try_send_to(pattern(0, exchanged_size(0)), w.into.local()));
    if (!each.taken) {
      REQUIRE(comes_true(w.where, [&] { return w.near.counters().rdsco_connect_failed >= 2; }));
      CHECK(w.near.tables().connections.at(0).trouble == std::make_error_code(std::errc::bad_message).message());
      CHECK(what.requests[0].version == protocol_version{4, 1});
      CHECK(what.requests[1].version == protocol_version{3, 1});
      what.on_reply = nullptr;
    }
    block_on(w.where, receive_numbered(w.into, 1));
    CHECK((w.near.counters().rdsco_connect_failed == 0) == each.taken);
    w.fabric.on_private_data = nullptr;
  }
}
