// SPDX-License-Identifier: BSD-2-Clause
// What could go wrong: a bit in the wrong byte or order, or a freed port that the folded mask does not name, so that a sender sleeps on.
// How it is forced: random maps against std::bitset, bit by bit, through set, clear, whole loads and partial loads.
#include "protocol/congestion_map.hpp"

#include <algorithm>
#include <bitset>
#include <catch2/catch.hpp>
#include <memory>
#include <random>
#include <vector>

using namespace rdsco::protocol;

namespace {

using reference = std::bitset<65536>;
using bytes = std::array<std::byte, congestion_map_bytes>;

bytes wire_of(reference const& ports) {
  bytes wire{};
  for (std::size_t port = 0; port < ports.size(); ++port) {
    if (ports[port]) wire[port / 8] |= static_cast<std::byte>(1u << (port % 8));
  }
  return wire;
}

std::uint64_t freed_mask(reference const& before, reference const& after) {
  std::uint64_t mask = 0;
  for (std::size_t port = 0; port < before.size(); ++port) {
    if (before[port] && !after[port]) mask |= std::uint64_t{1} << (port % 64);
  }
  return mask;
}

bool same(congestion_map const& map, reference const& ports) {
  for (std::size_t port = 0; port < ports.size(); ++port) {
    if (map.test(static_cast<std::uint16_t>(port)) != ports[port]) return false;
  }
  return std::ranges::equal(map.wire(), wire_of(ports)) && map.any() == ports.any();
}

reference random_ports(std::mt19937& random, unsigned count) {
  reference ports;
  for (; count > 0; --count) ports.set(random() % 65536);
  return ports;
}

}  // namespace

TEST_CASE("ports stand lowest bit first") {
  congestion_map map;
  for (std::uint16_t const port : std::array<std::uint16_t, 4>{4000, 5000, 65535, 8}) CHECK(map.set(port));
  auto const wire = map.wire();
  CHECK(wire[1] == std::byte{0x01});
  CHECK(wire[500] == std::byte{0x01});
  CHECK(wire[625] == std::byte{0x01});
  CHECK(wire[8191] == std::byte{0x80});
  CHECK(std::ranges::count(wire, std::byte{0}) == 8188);
}

TEST_CASE("every port by itself") {
  congestion_map map;
  CHECK_FALSE(map.any());
  for (unsigned port = 0; port < 65536; ++port) {
    auto const p = static_cast<std::uint16_t>(port);
    REQUIRE_FALSE(map.test(p));
    REQUIRE_FALSE(map.clear(p));
    REQUIRE(map.set(p));
    REQUIRE_FALSE(map.set(p));
    REQUIRE(map.test(p));
    REQUIRE(map.wire()[port >> 3] == static_cast<std::byte>(1u << (port & 7)));
    REQUIRE(map.clear(p));
  }
  CHECK_FALSE(map.any());
}

TEST_CASE("random changes and loads against a reference") {
  std::mt19937 random{7};
  congestion_map map;
  reference ports;
  for (int round = 0; round < 60; ++round) {
    for (int change = 0; change < 50; ++change) {
      auto const port = static_cast<std::uint16_t>(random());
      if (random() % 2 == 0) {
        CHECK(map.set(port) == !ports[port]);
        ports.set(port);
      } else {
        CHECK(map.clear(port) == ports[port]);
        ports.reset(port);
      }
    }
    REQUIRE(same(map, ports));
    reference const update = random_ports(random, static_cast<unsigned>(random() % 200));
    freed_ports const freed = map.load(wire_of(update));
    REQUIRE(freed.mask == freed_mask(ports, update));
    REQUIRE(freed.any() == (ports & ~update).any());
    ports = update;
    REQUIRE(same(map, ports));
  }
}

TEST_CASE("each freed port is named by the mask, and a port that stays congested is not") {
  for (unsigned port = 0; port < 65536; port += 61) {
    congestion_map map;
    map.set(static_cast<std::uint16_t>(port));
    congestion_map const before = map;
    CHECK_FALSE(map.load(before.wire()).any());
    freed_ports const freed = map.load(congestion_map{}.wire());
    REQUIRE(freed.mask == std::uint64_t{1} << (port % 64));
    REQUIRE(freed.may_include(static_cast<std::uint16_t>(port)));
    REQUIRE_FALSE(freed.may_include(static_cast<std::uint16_t>(port + 1)));
  }
}

TEST_CASE("ports that become congested free nobody") {
  congestion_map map;
  bytes full;
  full.fill(std::byte{0xff});
  CHECK_FALSE(map.load(full).any());
  CHECK(map.load(bytes{}).mask == ~std::uint64_t{0});
}

TEST_CASE("a map in parts is the map as a whole") {
  std::mt19937 random{8};
  reference const before = random_ports(random, 500);
  reference const after = random_ports(random, 500);
  bytes const update = wire_of(after);
  for (std::size_t const part : {8u, 64u, 1024u, 4096u, 8192u}) {
    congestion_map map;
    map.load(wire_of(before));
    std::uint64_t freed = 0;
    for (std::size_t at = 0; at < update.size(); at += part) {
      freed |= map.load_part(at, std::span{update}.subspan(at, part)).mask;
    }
    CHECK(freed == freed_mask(before, after));
    CHECK(same(map, after));
  }
}

TEST_CASE("loading from an unaligned buffer, from itself and nothing at all") {
  std::mt19937 random{9};
  reference const ports = random_ports(random, 100);
  bytes const wire = wire_of(ports);
  std::vector<std::byte> buffer(congestion_map_bytes + 1);
  std::ranges::copy(wire, buffer.begin() + 1);
  congestion_map map;
  map.load(std::span{buffer}.subspan<1, congestion_map_bytes>());
  CHECK(same(map, ports));
  CHECK_FALSE(map.load(map.wire()).any());
  CHECK_FALSE(map.load_part(congestion_map_bytes, {}).any());
  CHECK(same(map, ports));
  map.clear_all();
  CHECK(map == congestion_map{});
}
