// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a time or size read in the wrong unit, a number in the wrong base, or nonsense taken for one.
// Forced by: every unit, and what is no time, no size and no number.
#include "tools/arguments.hpp"

#include <catch2/catch.hpp>

using namespace std::chrono_literals;
using rdsco::tools::parse_size;
using rdsco::tools::parse_time;
using rdsco::tools::whole_number;

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

TEST_CASE("sizes are in bytes, or in units of 1024") {
  REQUIRE(parse_size("0") == 0);
  REQUIRE(parse_size("63") == 63);
  REQUIRE(parse_size("64K") == 65536);
  REQUIRE(parse_size("1m") == 1u << 20);
  REQUIRE(parse_size("3G") == std::uint64_t(3) << 30);
  REQUIRE(parse_size("17179869183G") == std::uint64_t(17179869183) << 30);
}

TEST_CASE("what is no size is refused") {
  for (char const* text : {"", "K", "-5", "+5", "1.5K", "5Q", "5KB", "5 K", "0x10", "17179869184G", "18446744073709551616"}) {
    INFO(text);
    REQUIRE(!parse_size(text));
  }
}

TEST_CASE("whole numbers have a range, and leading zeros do not make them octal") {
  auto const judge = whole_number(2, 10);
  for (std::string text : {"2", "10", "010"}) {
    INFO(text);
    auto const given = text;
    REQUIRE(judge(text).empty());
    REQUIRE(std::stoi(text) == std::stoi(given, nullptr, 10));
    REQUIRE(text[0] != '0');
  }
  for (std::string text : {"1", "11", "-2", "+2", "2.0", " 2", "2 ", "", "0x2", "99999999999999999999"}) {
    INFO(text);
    REQUIRE(judge(text).find("is not a whole number from 2 to 10") != std::string::npos);
  }
}
