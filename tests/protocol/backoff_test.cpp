// SPDX-License-Identifier: BSD-2-Clause
// What could go wrong: a peer that refuses every connection is tried in a tight loop, or a bound that grows past its maximum.
// How it is forced: long runs of attempts with extreme and random numbers, with and without traffic between them.
#include "protocol/backoff.hpp"

#include <catch2/catch.hpp>
#include <random>

using namespace rdsco::protocol;
using namespace std::chrono_literals;

TEST_CASE("the first attempt comes at once, later ones below a doubling bound") {
  backoff wait;
  CHECK(wait.next_delay(~std::uint64_t{0}) == 0ns);
  for (auto const bound : {4ms, 8ms, 16ms, 32ms, 64ms, 128ms, 256ms, 512ms, 1000ms, 1000ms, 1000ms}) {
    CHECK(wait.bound() == bound);
    auto const delay = wait.next_delay(static_cast<std::uint64_t>(std::chrono::nanoseconds{bound}.count() - 1));
    CHECK(delay == bound - 1ns);
  }
}

TEST_CASE("delays stay below the bound and fill it") {
  std::mt19937_64 random{10};
  backoff wait;
  for (int attempt = 0; attempt < 20; ++attempt) static_cast<void>(wait.next_delay(0));
  backoff::duration least = 1h;
  backoff::duration most = 0ns;
  for (int attempt = 0; attempt < 10000; ++attempt) {
    auto const delay = wait.next_delay(random());
    REQUIRE(delay >= 0ns);
    REQUIRE(delay < 1000ms);
    least = std::min(least, delay);
    most = std::max(most, delay);
  }
  CHECK(least < 10ms);
  CHECK(most > 990ms);
}

TEST_CASE("only traffic makes the next attempt come at once") {
  backoff wait;
  for (int attempt = 0; attempt < 5; ++attempt) static_cast<void>(wait.next_delay(0));
  CHECK(wait.bound() == 64ms);
  wait.traffic_flowed();
  CHECK(wait.bound() == 0ns);
  CHECK(wait.next_delay(12345) == 0ns);
  CHECK(wait.bound() == 4ms);
}

TEST_CASE("odd limits are put right") {
  backoff equal{50ms, 10ms};
  static_cast<void>(equal.next_delay(0));
  static_cast<void>(equal.next_delay(0));
  CHECK(equal.bound() == 50ms);
  backoff none{0ms, 0ms};
  CHECK(none.next_delay(7) == 0ns);
  CHECK(none.next_delay(7) == 0ns);
  CHECK(none.bound() == 1ns);
  backoff huge{1ms, backoff::duration::max()};
  for (int attempt = 0; attempt < 200; ++attempt) REQUIRE(huge.next_delay(0) == 0ns);
  CHECK(huge.bound() == backoff::duration::max());
}
