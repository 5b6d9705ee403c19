// SPDX-License-Identifier: BSD-2-Clause
// What could go wrong: a message delivered twice after a reconnect, or a restarted peer taken for an old one and silenced.
// How it is forced: the histories that kernels lose or repeat messages in, and random histories of a model peer with many lives.
#include "protocol/sequence.hpp"

#include <catch2/catch.hpp>
#include <deque>
#include <random>
#include <set>
#include <vector>

using namespace rdsco::protocol;
using verdict = sequence_verdict;

namespace {

constexpr std::uint64_t last_number = ~std::uint64_t{0};

}  // namespace

TEST_CASE("numbers that grow are fresh, with or without gaps") {
  receive_sequence in;
  std::uint64_t expected = 0;
  for (std::uint64_t const number : {1u, 2u, 3u, 10u, 4000000000u}) {
    CHECK(in.expected() == expected);
    CHECK(in.admit(number, false) == verdict::fresh);
    CHECK(in.last_received() == number);
    expected = number + 1;
  }
}

TEST_CASE("the first number of a peer may be any") {
  for (std::uint64_t const start : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1'000'000'000'000'000'000}, last_number}) {
    receive_sequence in;
    CHECK(in.admit(start, false) == verdict::fresh);
  }
}

TEST_CASE("within a connection an old number is a duplicate, flagged or not") {
  receive_sequence in;
  in.begin_connection();
  REQUIRE(in.admit(5, false) == verdict::fresh);
  for (bool const flagged : {false, true}) {
    for (std::uint64_t const number : {0u, 1u, 4u, 5u}) {
      CHECK(in.admit(number, flagged) == verdict::duplicate);
      CHECK(in.expected() == 6);
      CHECK(in.last_received() == 5u);
    }
  }
  CHECK(in.admit(6, true) == verdict::fresh);
}

TEST_CASE("after a reconnect what is sent again is dropped as far as it had arrived") {
  receive_sequence in;
  for (std::uint64_t number = 1; number <= 4; ++number) REQUIRE(in.admit(number, false) == verdict::fresh);
  in.begin_connection();
  CHECK_FALSE(in.last_received());
  CHECK(in.admit(3, true) == verdict::duplicate);
  CHECK(in.last_received() == 3u);  // not more than this connection has shown
  CHECK(in.admit(4, true) == verdict::duplicate);
  CHECK(in.admit(5, true) == verdict::fresh);
  CHECK(in.admit(6, false) == verdict::fresh);
}

TEST_CASE("a kernel that restarted begins a connection with a low number and without the flag") {
  receive_sequence in;
  REQUIRE(in.admit(1000, false) == verdict::fresh);
  in.begin_connection();
  // Not always 1: numbers go to messages that are taken back before there is a connection, too.
  auto const first = GENERATE(as<std::uint64_t>{}, 1, 2, 4, 999, 1000);
  CHECK(in.admit(first, false) == verdict::restarted);
  CHECK(in.last_received() == first);
  CHECK(in.expected() == first + 1);
  CHECK(in.admit(first + 1, false) == verdict::fresh);
  CHECK(in.admit(first, false) == verdict::duplicate);
}

TEST_CASE("a kernel that restarted may have lost a connection since, and sends again first") {
  receive_sequence in;
  REQUIRE(in.admit(1000, false) == verdict::fresh);
  in.begin_connection();
  // Nothing tells these from old messages of the first life.
  CHECK(in.admit(1, true) == verdict::duplicate);
  CHECK(in.admit(2, true) == verdict::duplicate);
  CHECK(in.admit(3, false) == verdict::restarted);
  CHECK(in.admit(4, false) == verdict::fresh);
}

TEST_CASE("an old number means a restart only at the start of a connection, unflagged, and from a peer without generation") {
  receive_sequence in;
  REQUIRE(in.admit(1000, false) == verdict::fresh);
  in.begin_connection();
  SECTION("flagged") { CHECK(in.admit(1, true) == verdict::duplicate); }
  SECTION("behind a new one") {
    REQUIRE(in.admit(1001, true) == verdict::fresh);
    CHECK(in.admit(1, false) == verdict::duplicate);
    CHECK(in.expected() == 1002);
    return;
  }
  SECTION("a generation was shown") {
    CHECK_FALSE(in.peer_generation(7));
    CHECK(in.admit(1, false) == verdict::duplicate);
  }
  CHECK(in.expected() == 1001);
}

TEST_CASE("a generation shown on an earlier connection does not hide a restart on this one") {
  receive_sequence in;
  in.peer_generation(7);
  REQUIRE(in.admit(1000, false) == verdict::fresh);
  in.begin_connection();
  CHECK(in.admit(1, false) == verdict::restarted);
}

TEST_CASE("a changed generation resets the expectation") {
  receive_sequence in;
  CHECK_FALSE(in.peer_generation(7));
  REQUIRE(in.admit(1000, false) == verdict::fresh);
  in.begin_connection();
  CHECK(in.peer_generation(8));
  CHECK(in.expected() == 0);
  CHECK(in.admit(500, false) == verdict::fresh);
  CHECK(in.admit(500, false) == verdict::duplicate);
  in.begin_connection();
  CHECK_FALSE(in.peer_generation(8));
  CHECK(in.admit(400, false) == verdict::duplicate);
}

TEST_CASE("no generation, the first one and the same one change nothing") {
  receive_sequence in;
  REQUIRE(in.admit(10, false) == verdict::fresh);
  in.begin_connection();
  CHECK_FALSE(in.peer_generation(0));
  CHECK_FALSE(in.peer_generation(7));
  CHECK_FALSE(in.peer_generation(7));
  CHECK_FALSE(in.peer_generation(0));
  CHECK(in.admit(5, false) == verdict::duplicate);
  CHECK(in.expected() == 11);
}

TEST_CASE("one change of generation in a connection is taken, a flapping one is not") {
  receive_sequence in;
  in.peer_generation(7);
  REQUIRE(in.admit(1000, false) == verdict::fresh);
  in.begin_connection();
  CHECK(in.peer_generation(8));
  REQUIRE(in.admit(500, false) == verdict::fresh);
  for (std::uint32_t flap = 9; flap < 20; ++flap) CHECK_FALSE(in.peer_generation(flap));
  CHECK(in.expected() == 501);
  in.begin_connection();
  CHECK_FALSE(in.peer_generation(8));
  CHECK(in.peer_generation(9));
}

TEST_CASE("a change of generation in the middle of a connection does not bring back what the connection has brought") {
  receive_sequence in;
  in.peer_generation(7);
  REQUIRE(in.admit(1000, false) == verdict::fresh);
  in.begin_connection();
  REQUIRE(in.admit(2000, false) == verdict::fresh);
  CHECK(in.peer_generation(8));
  CHECK(in.admit(1500, false) == verdict::duplicate);
  CHECK(in.admit(2001, false) == verdict::fresh);
}

TEST_CASE("the last number of all wraps the expectation, after which every number is new") {
  receive_sequence in;
  REQUIRE(in.admit(last_number - 1, false) == verdict::fresh);
  REQUIRE(in.admit(last_number, false) == verdict::fresh);
  CHECK(in.expected() == 0);
  CHECK(in.admit(0, false) == verdict::fresh);
  CHECK(in.admit(5, true) == verdict::fresh);
  CHECK(in.last_received() == 5u);
  CHECK(in.admit(5, true) == verdict::duplicate);
}

TEST_CASE("a wrap and a change of generation together stay in order") {
  receive_sequence in;
  in.peer_generation(1);
  in.begin_connection();
  REQUIRE(in.admit(last_number, false) == verdict::fresh);
  CHECK(in.peer_generation(2));
  CHECK(in.expected() == 0);
}

namespace {

// A peer as kernels are: numbers from 1 in each life, in order, what was not acknowledged again and flagged on each new connection.
struct kernel_peer {
  std::uint64_t next = 1;
  std::deque<std::pair<std::uint64_t, int>> unacknowledged;  // number, message
};

}  // namespace

TEST_CASE("random histories: every message of a peer that lives on arrives once and in order") {
  std::mt19937 random{5};
  for (int history = 0; history < 500; ++history) {
    receive_sequence in;
    kernel_peer peer;
    int message = 0;
    std::vector<int> delivered;
    for (int connection = 0; connection < 20; ++connection) {
      in.begin_connection();
      std::uint64_t const expected_before = in.expected();
      std::vector<std::pair<std::uint64_t, bool>> wire;
      std::vector<int> messages;
      for (auto const& [number, old_message] : peer.unacknowledged) {
        wire.emplace_back(number, true);
        messages.push_back(old_message);
      }
      for (auto fresh = random() % 6; fresh > 0; --fresh) {
        peer.next += random() % 3 == 0 ? 2 : 0;  // a cancelled message leaves a gap
        peer.unacknowledged.emplace_back(peer.next, message);
        wire.emplace_back(peer.next++, false);
        messages.push_back(message++);
      }
      // The connection breaks anywhere; of what arrived, any prefix may have been acknowledged.
      std::size_t const arrives = wire.empty() ? 0 : random() % (wire.size() + 1);
      for (std::size_t i = 0; i < arrives; ++i) {
        if (in.admit(wire[i].first, wire[i].second) != verdict::duplicate) delivered.push_back(messages[i]);
      }
      REQUIRE(in.expected() >= expected_before);
      if (arrives > 0) {
        std::size_t const acknowledged = random() % (arrives + 1);
        peer.unacknowledged.erase(peer.unacknowledged.begin(),
                                  peer.unacknowledged.begin() + static_cast<std::ptrdiff_t>(acknowledged));
      }
    }
    std::vector<int> in_order;
    for (std::size_t i = 0; i < delivered.size(); ++i) in_order.push_back(static_cast<int>(i));
    REQUIRE(delivered == in_order);
  }
}

TEST_CASE("random frames: the expectation moves back only where a restart or a wrap was seen") {
  std::mt19937_64 random{6};
  receive_sequence in;
  std::uint64_t before = 0;
  bool may_move_back = false;
  std::set<verdict> seen;
  for (int step = 0; step < 100000; ++step) {
    switch (random() % 16) {
      case 0: in.begin_connection(); break;
      case 1: may_move_back = in.peer_generation(static_cast<std::uint32_t>(random() % 3)); break;
      default: {
        std::uint64_t const near = in.expected() + random() % 8 - 4;
        std::uint64_t const number = random() % 8 == 0 ? 1 : random() % 64 == 0 ? last_number : near;
        auto const answer = in.admit(number, random() % 2 == 0);
        may_move_back = answer == verdict::restarted || number == last_number;
        REQUIRE((answer == verdict::duplicate ? in.expected() == before : in.expected() == number + 1));
        seen.insert(answer);
      }
    }
    REQUIRE((may_move_back || in.expected() >= before));
    before = in.expected();
    may_move_back = false;
  }
  CHECK(seen.size() == 3);
}

TEST_CASE("numbers are given in turn from the start, which is never 0") {
  transmit_sequence out{1'700'000'000'000'000'000};
  CHECK(out.take() == 1'700'000'000'000'000'000);
  CHECK(out.take() == 1'700'000'000'000'000'001);
  CHECK(out.highest_transmitted() == 1'700'000'000'000'000'001);
  CHECK(transmit_sequence{0}.next() == 1);
}

TEST_CASE("acknowledgements are judged against what was transmitted and what is known") {
  transmit_sequence out{100};
  CHECK(out.judge(0) == ack_verdict::stale);
  CHECK(out.judge(99) == ack_verdict::stale);
  CHECK(out.judge(100) == ack_verdict::future);
  for (int i = 0; i < 10; ++i) out.take();
  CHECK(out.acknowledge(104) == ack_verdict::advances);
  CHECK(out.acknowledged() == 104);
  CHECK(out.acknowledge(104) == ack_verdict::stale);
  CHECK(out.acknowledge(103) == ack_verdict::stale);
  CHECK(out.acknowledge(110) == ack_verdict::future);
  CHECK(out.acknowledge(std::uint64_t{1} << 63) == ack_verdict::future);
  CHECK(out.acknowledge(last_number) == ack_verdict::future);
  CHECK(out.acknowledged() == 104);
  CHECK(out.acknowledge(109) == ack_verdict::advances);
}

TEST_CASE("acknowledgements at the very end of the numbers") {
  transmit_sequence out{last_number - 1};
  out.take();
  CHECK(out.judge(last_number) == ack_verdict::future);
  CHECK(out.acknowledge(last_number - 1) == ack_verdict::advances);
}

TEST_CASE("a fresh path asks for an acknowledgement with messages 1, 10, 19 and so on") {
  ack_budget budget;
  std::vector<int> asked;
  for (int message = 1; message <= 30; ++message) {
    if (budget.charge(64)) asked.push_back(message);
  }
  CHECK(asked == std::vector<int>{1, 10, 19, 28});
}

TEST_CASE("after a reset the first message need not ask") {
  ack_budget budget;
  budget.rearm();
  for (int message = 1; message <= 8; ++message) CHECK_FALSE(budget.charge(0));
  CHECK(budget.charge(0));
}

TEST_CASE("bytes spend the budget as well") {
  ack_budget budget{1000, 100};
  budget.rearm();
  CHECK_FALSE(budget.charge(60));
  CHECK_FALSE(budget.charge(40));
  CHECK_FALSE(budget.charge(0));
  CHECK(budget.charge(1));
  CHECK_FALSE(budget.charge(100));
  CHECK(budget.charge(0xffffffff));
}
