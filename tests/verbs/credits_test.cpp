// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a receive is counted twice or never, a message finds none posted, both sides wait for each other's credits, or tell
// each other of credits for ever.
// Forced by: two sides that do what a link does with its rings, in every order that a seed brings about, on rings of all sizes,
// with readers that stop; after every step each receive is in exactly one place.

#include "transports/verbs/credits.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <cstdint>
#include <deque>
#include <random>

namespace {

using rdsco::detail::credits;

struct frame {
  std::uint32_t credit = 0;
  bool message = false;
};

/// One end of a connection, as far as credits matter.
struct side {
  explicit side(std::uint32_t receives) : ring(receives), posted(receives), count(receives) { count.posted(receives); }

  std::uint32_t ring;
  std::uint32_t posted;    // receives that the adapter has
  std::uint32_t free = 0;  // slots that are to be posted again
  std::uint32_t held = 0;  // messages that wait to be read
  credits count;
  std::deque<frame> out;   // on its way to the other
  std::uint64_t to_send = 0, sent = 0, taken = 0, acknowledgements = 0;
  bool reads = true;
  bool owes = false;
  bool acknowledges = true;  // messages, not only when there are credits to tell of

  void post(bool all) {
    if (!all && free * 4 < ring) return;
    posted += free;
    count.posted(std::exchange(free, 0u));
  }
  void put(bool message) {
    REQUIRE(count.available() > 0);
    out.push_back({count.spend(), message});
    owes = false;
    if (message)
      ++sent;
    else
      ++acknowledgements;
  }
  void transmit() {
    while (sent < to_send && count.for_messages() != 0) put(true);
    if (!owes && !count.worth_telling()) return;
    if (!count.for_acknowledgement()) post(true);
    if (count.for_acknowledgement()) put(false);
  }
  void take(frame const& one) {
    REQUIRE(posted > 0);  // otherwise the connection would be gone
    --posted;
    count.arrived(one.credit);
    if (!one.message) {
      ++free;
      post(!reads);
    } else if (reads) {
      ++taken, ++free;
      owes = acknowledges;
      post(false);
    } else {
      ++held;
    }
  }
  void read(bool on) {
    reads = on;
    if (!on) return;
    owes |= acknowledges && held != 0;
    taken += held;
    free += std::exchange(held, 0u);
    post(false);
  }
};

struct link_of_two {
  link_of_two(std::uint32_t near, std::uint32_t far) : sides{side(near), side(far)} {
    sides[0].count.granted(sides[1].count.announce());
    sides[1].count.granted(sides[0].count.announce());
  }
  std::array<side, 2> sides;

  void deliver(std::size_t from) {
    if (sides[from].out.empty()) return;
    frame const one = sides[from].out.front();
    sides[from].out.pop_front();
    sides[1 - from].take(one);
  }
  void check() const {
    for (std::size_t at = 0; at < 2; ++at) {
      side const &owner = sides[at], &user = sides[1 - at];
      std::uint64_t told = 0;
      for (frame const& each : owner.out) told += each.credit;
      REQUIRE(owner.count.unadvertised() + told + user.count.available() + user.out.size() == owner.posted);
      REQUIRE(owner.posted + owner.free + owner.held == owner.ring);
    }
  }
  [[nodiscard]] bool quiet() const { return sides[0].out.empty() && sides[1].out.empty(); }
  /// Nobody does anything any more. Fails where that never comes.
  void settle() {
    for (int turn = 0; turn < 100'000; ++turn) {
      for (std::size_t at = 0; at < 2; ++at) {
        sides[at].transmit();
        while (!sides[at].out.empty()) deliver(at);
      }
      sides[0].transmit();
      check();
      if (quiet()) return;
    }
    FAIL("credits are told of for ever");
  }
};

}  // namespace

TEST_CASE("every receive is in one place, in any order of events, and everything is sent in the end") {
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    INFO("seed " << seed);
    std::mt19937 random(seed);
    auto const below = [&](std::uint32_t bound) { return static_cast<std::uint32_t>(random() % bound); };
    auto const ring = [&] { return below(2) == 0 ? credits::receives_min + below(8) : credits::receives_min + below(600); };
    link_of_two link(ring(), ring());
    link.check();
    for (int step = 0; step < 2000; ++step) {
      std::size_t const at = below(2);
      switch (below(8)) {
        case 0: link.sides[at].to_send += below(40); break;
        case 1: link.sides[at].read(below(3) != 0); break;
        case 2:
        case 3: link.sides[at].transmit(); break;
        default: link.deliver(at); break;
      }
      link.check();
    }
    for (side& each : link.sides) each.read(true);
    link.settle();
    for (std::size_t at = 0; at < 2; ++at) {
      CHECK(link.sides[at].sent == link.sides[at].to_send);
      CHECK(link.sides[at].taken == link.sides[1 - at].sent);
      // A congestion map takes two, and finds them.
      CHECK(link.sides[at].count.for_messages() >= 2);
    }
  }
}

TEST_CASE("both sides are down to their last credit, and recover") {
  for (std::uint32_t ring = credits::receives_min; ring < 300; ++ring) {
    INFO("rings of " << ring);
    link_of_two link(ring, ring);
    for (side& each : link.sides) {
      each.to_send = 10 * ring;
      each.transmit();
      CHECK(each.count.available() == 1);
    }
    link.settle();
    for (side& each : link.sides) CHECK(each.sent == each.to_send);
  }
}

TEST_CASE("a side whose messages are not read acknowledges every message, so that the other can wait for that before the next") {
  for (std::uint32_t ring = credits::receives_min; ring < 300; ++ring) {
    INFO("rings of " << ring);
    link_of_two link(ring, ring);
    auto& [near, far] = link.sides;
    far.read(false);
    near.to_send = 2 * ring;
    link.settle();
    for (int message = 0; message < 100; ++message) {
      ++far.to_send;
      link.settle();
      REQUIRE(near.taken == far.to_send);
      REQUIRE(!near.owes);
    }
  }
}

TEST_CASE("the same when what they send crosses") {
  for (std::uint32_t seed = 0; seed < 2000; ++seed) {
    INFO("seed " << seed);
    std::mt19937 random(seed);
    link_of_two link(credits::receives_min + static_cast<std::uint32_t>(random() % 20), credits::receives_min + static_cast<std::uint32_t>(random() % 20));
    auto& [near, far] = link.sides;
    far.read(false);
    for (int step = 0; step < 200; ++step) {
      std::size_t const at = random() % 2;
      if (random() % 8 == 0) link.sides[at].to_send += random() % 6;
      if (random() % 2 == 0)
        link.sides[at].transmit();
      else
        link.deliver(at);
      link.check();
    }
    link.settle();
    REQUIRE(far.sent == far.to_send);
    REQUIRE(near.taken == far.sent);
    REQUIRE(!near.owes);
  }
}

TEST_CASE("a side whose messages are not read goes on acknowledging, so the other goes on sending") {
  link_of_two link(4, 4);
  auto& [near, far] = link.sides;
  far.read(false);
  near.to_send = 100;
  link.settle();
  REQUIRE(near.sent == 3);
  REQUIRE(far.held == 3);
  far.to_send = 1000;
  link.settle();
  CHECK(far.sent == 1000);
  CHECK(near.taken == 1000);
  far.read(true);
  link.settle();
  CHECK(far.taken == 100);
}

TEST_CASE("credits come back by themselves, not only with acknowledgements") {
  for (std::uint32_t ring = credits::receives_min; ring < 300; ++ring) {
    INFO("rings of " << ring);
    link_of_two link(ring, 304 - ring);
    for (side& each : link.sides) each.acknowledges = false;
    link.sides[0].to_send = 1000;
    link.settle();
    CHECK(link.sides[0].sent == 1000);
    CHECK(link.sides[0].count.for_messages() >= 2);
  }
}

TEST_CASE("an idle connection falls silent") {
  link_of_two link(8, 8);
  link.sides[0].to_send = 1;
  link.settle();
  CHECK(link.sides[0].acknowledgements + link.sides[1].acknowledgements <= 2);
}

TEST_CASE("a header tells of 255 at most, and the rest follows") {
  credits count(1000);
  count.posted(600);
  count.granted(4);
  CHECK(count.spend() == 255);
  CHECK(count.spend() == 255);
  CHECK(count.spend() == 90);
  CHECK(count.spend() == 0);
  CHECK(count.available() == 0);
  CHECK(count.for_messages() == 0);
  CHECK(!count.for_acknowledgement());
}

TEST_CASE("the last credit is for an acknowledgement that has something to tell") {
  credits count(4);
  count.granted(1);
  CHECK(count.for_messages() == 0);
  CHECK(!count.for_acknowledgement());
  count.posted(1);
  CHECK(count.for_messages() == 0);
  CHECK(count.for_acknowledgement());
  CHECK(!count.worth_telling());
  count.posted(1);
  CHECK(count.worth_telling());
}

TEST_CASE("a peer that promises more than there can be") {
  credits count(4);
  for (int i = 0; i < 3; ++i) count.granted(~std::uint32_t{0});
  count.granted(255);
  CHECK(count.available() == 1u << 24);
}
