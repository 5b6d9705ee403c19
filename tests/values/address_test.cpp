// SPDX-License-Identifier: BSD-2-Clause
// Wrong could go: text that is not an address is taken for one, two writings of one address differ, neighbours share a hash.
// Forced by: tables of good and bad texts, and the hashes of a whole /16.
#include <rdsco/endpoint.hpp>

#include <catch2/catch.hpp>

#include <set>
#include <string>

using namespace rdsco;

TEST_CASE("addresses are written and read") {
  for (std::string const text : {"0.0.0.0", "10.0.0.1", "255.255.255.255", "127.0.0.1", "::", "::1", "fd00::1", "fe80::1%3",
                                 "2001:db8:0:1:2:3:4:5", "ff02::1"}) {
    INFO(text);
    auto const parsed = address::parse(text);
    REQUIRE(parsed);
    REQUIRE(parsed->to_string() == text);
  }
}

TEST_CASE("an IPv4 address has one form") {
  REQUIRE(address::parse("::ffff:10.0.0.1") == address::v4(10, 0, 0, 1));
  REQUIRE(address::parse("10.0.0.1") == address::v4(10, 0, 0, 1));
  REQUIRE(address::v4(10, 0, 0, 1).is_v4());
  REQUIRE(address::v4(0, 0, 0, 0).is_v4());
  REQUIRE_FALSE(address::parse("::a00:1")->is_v4());
  REQUIRE_FALSE(address().is_v4());
}

TEST_CASE("an interface is named by number or by name, for link-local addresses only") {
  REQUIRE(address::parse("fe80::1%lo"));
  REQUIRE(address::parse("fe80::1%lo")->scope() == address::parse("fe80::1%1")->scope());
  REQUIRE(address::parse("fe80::1%1") != address::parse("fe80::1%2"));
  REQUIRE_FALSE(address::parse("fe80::1%no-such-interface"));
  REQUIRE_FALSE(address::parse("fe80::1%0"));
  REQUIRE_FALSE(address::parse("fe80::1%"));
  REQUIRE_FALSE(address::parse("fd00::1%1"));
}

TEST_CASE("what is no address is refused") {
  for (std::string const text : {"", " ", "10.0.0", "10.0.0.256", "10.0.0.1 ", " 10.0.0.1", "10.0.0.01x", "localhost", ":::", "1::2::3",
                                 "12345::", "[::1]", "10.0.0.1:4000", "fe80::1%99999999999", "::1%lo"}) {
    INFO(text);
    REQUIRE_FALSE(address::parse(text));
  }
  REQUIRE_FALSE(address::parse(std::string("10.0.0.1\0x", 10)));
  REQUIRE_FALSE(address::parse(std::string(10'000, '1')));
}

TEST_CASE("addresses are classified") {
  REQUIRE(address().is_unspecified());
  REQUIRE(address::v4(0, 0, 0, 0).is_unspecified());
  REQUIRE_FALSE(address::v4(0, 0, 0, 1).is_unspecified());
  REQUIRE(address::v4(224, 0, 0, 1).is_multicast());
  REQUIRE(address::v4(239, 255, 255, 255).is_multicast());
  REQUIRE(address::v4(255, 255, 255, 255).is_multicast());
  REQUIRE_FALSE(address::v4(240, 0, 0, 1).is_multicast());
  REQUIRE_FALSE(address::v4(223, 255, 255, 255).is_multicast());
  REQUIRE(address::parse("ff02::1")->is_multicast());
  REQUIRE_FALSE(address::parse("fe80::1%1")->is_multicast());
  REQUIRE(address::parse("fe80::1%1")->is_link_local());
  REQUIRE(address::parse("febf::1%1")->is_link_local());
  REQUIRE_FALSE(address::parse("fec0::1")->is_link_local());
}

TEST_CASE("endpoints are written and read") {
  for (std::string const text : {"10.0.0.1:4000", "[fd00::1]:4000", "[fe80::1%3]:0", "0.0.0.0:65535", "[::]:1"}) {
    INFO(text);
    auto const parsed = endpoint::parse(text);
    REQUIRE(parsed);
    REQUIRE(parsed->to_string() == text);
  }
  for (std::string const text : {"", ":", "10.0.0.1", "10.0.0.1:", "10.0.0.1:65536", "10.0.0.1:-1", "10.0.0.1:+1", "10.0.0.1:4000 ",
                                 "fd00::1:4000", "[10.0.0.1]:4000", "[fd00::1]", "[fd00::1:4000", "[]:1", ":4000"}) {
    INFO(text);
    REQUIRE_FALSE(endpoint::parse(text));
  }
}

TEST_CASE("neighbours have different hashes") {
  std::set<std::size_t> seen;
  for (unsigned i = 0; i < 65536; ++i)
    seen.insert(std::hash<address>()(address::v4(10, 0, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i))) % 1'000'003);
  // As many as throwing 65536 balls into so many bins hits.
  REQUIRE(seen.size() > 62'000);
  REQUIRE(std::hash<endpoint>()(endpoint(address::v4(10, 0, 0, 1), 1)) != std::hash<endpoint>()(endpoint(address::v4(10, 0, 0, 1), 2)));
}
