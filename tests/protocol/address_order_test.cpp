// SPDX-License-Identifier: BSD-2-Clause
// What could go wrong: both sides think they connect, or neither; a comparison by signed bytes or by the first byte alone does that.
// How it is forced: pairs that differ in one byte at each place, each seen from both ends.
#include "protocol/address_order.hpp"

#include <catch2/catch.hpp>

using namespace rdsco::protocol;

TEST_CASE("the smaller address connects, seen from both ends") {
  for (std::size_t place = 0; place < 16; ++place) {
    for (auto const& [low, high] : {std::pair{0x00, 0x01}, {0x7f, 0x80}, {0x01, 0xff}, {0xfe, 0xff}}) {
      address_bytes smaller{};
      address_bytes larger{};
      for (std::size_t after = place + 1; after < 16; ++after) smaller[after] = std::byte{0xff};
      smaller[place] = static_cast<std::byte>(low);
      larger[place] = static_cast<std::byte>(high);
      CHECK(role_of(smaller, larger) == role::connects);
      CHECK(role_of(larger, smaller) == role::accepts);
      CHECK(role_of(smaller, smaller) == role::same);
    }
  }
}

TEST_CASE("IPv4 addresses in their mapped form") {
  CHECK(role_of(map_v4(10, 0, 0, 1), map_v4(10, 0, 0, 2)) == role::connects);
  CHECK(role_of(map_v4(10, 0, 1, 0), map_v4(10, 0, 0, 255)) == role::accepts);
  CHECK(role_of(map_v4(192, 168, 0, 1), map_v4(10, 9, 9, 9)) == role::accepts);
  CHECK(role_of(map_v4(127, 0, 0, 1), map_v4(127, 0, 0, 1)) == role::same);
  static_assert(role_of(map_v4(1, 2, 3, 4), map_v4(1, 2, 3, 5)) == role::connects);
}
