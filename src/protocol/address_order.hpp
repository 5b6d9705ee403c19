// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>

namespace rdsco::protocol {

/// An address in its IPv6 form, in network order; IPv4 as ::ffff:a.b.c.d.
using address_bytes = std::array<std::byte, 16>;

constexpr address_bytes map_v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) noexcept {
  address_bytes mapped{};
  mapped[10] = mapped[11] = std::byte{0xff};
  mapped[12] = std::byte{a};
  mapped[13] = std::byte{b};
  mapped[14] = std::byte{c};
  mapped[15] = std::byte{d};
  return mapped;
}

enum class role : std::uint8_t {
  connects,  // the smaller address: data flows on connections that it opens
  accepts,   // the larger one: an attempt of its own only wakes the other side
  same,      // traffic to itself never meets a network
};

/// RDS over TCP: both sides compare their addresses as 128-bit big-endian numbers, so that only one of two crossing connections
/// survives.
constexpr role role_of(address_bytes const& local, address_bytes const& peer) noexcept {
  auto const order = local <=> peer;
  if (order == 0) {
    return role::same;
  }
  return order < 0 ? role::connects : role::accepts;
}

}  // namespace rdsco::protocol
