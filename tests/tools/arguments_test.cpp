// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a time read in the wrong unit, or nonsense taken for one.
// Forced by: every unit, and what is no time.
#include "tools/arguments.hpp"

#include <catch2/catch.hpp>

using namespace std::chrono_literals;
using rdsco::tools::parse_time;

TEST_CASE("times are read as rds-ping reads them") {
  REQUIRE(parse_time("2") == 2s);
  REQUIRE(parse_time("1.5s") == 1500ms);
  REQUIRE(parse_time("20ms") == 20ms);
  REQUIRE(parse_time("20msec") == 20ms);
  REQUIRE(parse_time("300us") == 300us);
  REQUIRE(parse_time("300usec") == 300us);
}

TEST_CASE("what is no time is refused") {
  for (char const* text : {"", "ms", "0", "-1", "1h", "1 ms", "nan", "inf", "1e300", "20msx"}) {
    INFO(text);
    REQUIRE(!parse_time(text));
  }
}
