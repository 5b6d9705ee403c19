// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a value counted in the wrong step, so that percentiles lie by more than they promise.
// Forced by: values over the whole range, each alone, and a known set against its sorted list.
#include "tools/percentiles.hpp"

#include <catch2/catch.hpp>

#include <memory>
#include <vector>

using rdsco::tools::percentiles;

TEST_CASE("one value is told at most 1/32 too high and never too low") {
  for (unsigned bit = 0; bit < 63; ++bit) {
    for (std::uint64_t const low : {0u, 1u, 3u}) {
      std::uint64_t const value = (std::uint64_t(1) << bit) + low;
      auto counted = std::make_unique<percentiles>();
      counted->add(value);
      counted->add(std::uint64_t(1) << 63);  // so that the largest value does not bound the answer
      auto const told = counted->at(50);
      INFO(value << " told as " << told);
      REQUIRE(told >= value);
      REQUIRE(told - value <= value / 32);
    }
  }
}

TEST_CASE("percentiles of 1 to 10000") {
  percentiles counted;
  for (std::uint64_t i = 1; i <= 10000; ++i) counted.add(i);
  REQUIRE(counted.count() == 10000);
  REQUIRE(counted.max() == 10000);
  REQUIRE(counted.mean() == Approx(5000.5));
  for (double const percent : {1.0, 50.0, 90.0, 99.0, 99.9}) {
    auto const exact = static_cast<std::uint64_t>(percent * 100);
    INFO(percent);
    REQUIRE(counted.at(percent) >= exact);
    REQUIRE(counted.at(percent) <= exact + exact / 32);
  }
  REQUIRE(counted.at(100) == 10000);
}

TEST_CASE("two counts add up, and nothing is nothing") {
  percentiles one, other;
  REQUIRE(one.at(50) == 0);
  one.add(10);
  other.add(20);
  one.add(other);
  REQUIRE(one.count() == 2);
  REQUIRE(one.at(50) == 10);
  REQUIRE(one.max() == 20);
}
