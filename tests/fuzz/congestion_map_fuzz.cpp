// SPDX-License-Identifier: BSD-2-Clause
// What could go wrong: a load that leaves a bit behind or names too few freed ports, so that a sender never tries again.
// How it is forced: an input is a list of single changes and of loads of a changed map, whole and in part, beside a plain bit set.
#include <algorithm>
#include <array>
#include <bitset>

#include "fuzz/fuzz.hpp"
#include "protocol/congestion_map.hpp"

using namespace rdsco::protocol;
using rdsco::fuzz::require;

namespace {

using reference = std::bitset<65536>;
using wire = std::array<std::byte, congestion_map_bytes>;

void store(wire& bytes, std::size_t at, std::span<std::byte const> from) {
  std::ranges::copy(from.first(std::min(from.size(), bytes.size() - at)), bytes.begin() + static_cast<std::ptrdiff_t>(at));
}

// Brings the reference up to a part of a map, and answers what that freed.
std::uint64_t take_over(reference& ports, wire const& bytes, std::size_t at, std::size_t size) {
  std::uint64_t freed = 0;
  for (std::size_t port = at * 8; port < (at + size) * 8; ++port) {
    bool const set = (std::to_integer<unsigned>(bytes[port / 8]) >> (port % 8) & 1) != 0;
    if (ports[port] && !set) freed |= std::uint64_t{1} << (port % 64);
    ports[port] = set;
  }
  return freed;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  rdsco::fuzz::input in{data, size};
  congestion_map map;
  reference ports;
  wire update{};
  for (int step = 0; step < 64 && !in.empty(); ++step) {
    auto const what = in.number<std::uint8_t>();
    auto const port = in.number<std::uint16_t>();
    switch (what % 4) {
      case 0:
        require(map.set(port) == !ports[port]);
        ports.set(port);
        break;
      case 1:
        require(map.clear(port) == ports[port]);
        ports.reset(port);
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
    require(map.test(port) == ports[port]);
  }
  reference const copy = ports;
  wire const held = [&map] {
    wire bytes;
    std::ranges::copy(map.wire(), bytes.begin());
    return bytes;
  }();
  take_over(ports, held, 0, held.size());
  require(ports == copy && map.any() == ports.any());
  return 0;
}
