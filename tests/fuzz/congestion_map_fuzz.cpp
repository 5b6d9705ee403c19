// SPDX-License-Identifier: BSD-2-Clause
// What could go wrong: a load that leaves a bit behind or names too few freed ports, so that a sender never tries again.
// How it is forced: an input is a list of single changes and of loads of a changed map, whole and in part, beside plain bytes.
#include <algorithm>
#include <array>

#include "fuzz/fuzz.hpp"
#include "protocol/congestion_map.hpp"

using namespace rdsco::protocol;
using rdsco::fuzz::require;

namespace {

using wire = std::array<std::byte, congestion_map_bytes>;

bool test(wire const& ports, std::uint16_t port) { return (std::to_integer<unsigned>(ports[port / 8u]) >> (port % 8) & 1) != 0; }

void assign(wire& ports, std::uint16_t port, bool set) {
  auto const bit = static_cast<std::byte>(1u << (port % 8));
  ports[port / 8u] = set ? ports[port / 8u] | bit : ports[port / 8u] & ~bit;
}

void store(wire& bytes, std::size_t at, std::span<std::byte const> from) {
  std::ranges::copy(from.first(std::min(from.size(), bytes.size() - at)), bytes.begin() + static_cast<std::ptrdiff_t>(at));
}

// Brings the reference up to a part of a map, and answers what that freed.
std::uint64_t take_over(wire& ports, wire const& bytes, std::size_t at, std::size_t size) {
  std::uint64_t freed = 0;
  for (std::size_t i = at; i < at + size; ++i) {
    freed |= std::to_integer<std::uint64_t>(ports[i] & ~bytes[i]) << (i % 8 * 8);
    ports[i] = bytes[i];
  }
  return freed;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  rdsco::fuzz::input in{data, size};
  congestion_map map;
  wire ports{};
  wire update{};
  for (int step = 0; step < 64 && !in.empty(); ++step) {
    auto const what = in.number<std::uint8_t>();
    auto const port = in.number<std::uint16_t>();
    switch (what % 4) {
      case 0:
        require(map.set(port) == !test(ports, port));
        assign(ports, port, true);
        break;
      case 1:
        require(map.clear(port) == test(ports, port));
        assign(ports, port, false);
        break;
      case 2:
        store(update, port / 8u, in.bytes(what / 4u));
        require(map.load(update).mask == take_over(ports, update, 0, update.size()));
        break;
      default: {
        std::size_t const at = port / 8u / 8 * 8;
        std::size_t const part = std::min<std::size_t>(what / 4u * 8, update.size() - at);
        store(update, at, in.bytes(what / 4u));
        auto const freed = map.load_part(at, std::span{update}.subspan(at, part));
        require(freed.mask == take_over(ports, update, at, part));
      }
    }
    require(map.test(port) == test(ports, port));
  }
  require(std::ranges::equal(map.wire(), ports));
  require(map.any() == std::ranges::any_of(ports, [](std::byte b) { return b != std::byte{0}; }));
  return 0;
}
