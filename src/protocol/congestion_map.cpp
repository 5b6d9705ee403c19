// SPDX-License-Identifier: BSD-2-Clause
#include "protocol/congestion_map.hpp"

#include <cassert>
#include <cstring>

#include "protocol/byte_order.hpp"

namespace rdsco::protocol {
namespace {

std::uint64_t word_at(std::byte const* from) noexcept {
  std::uint64_t word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

}  // namespace

bool congestion_map::set(std::uint16_t port) noexcept {
  bool const changed = !test(port);
  bytes_[port / 8u] |= bit(port);
  return changed;
}

bool congestion_map::clear(std::uint16_t port) noexcept {
  bool const changed = test(port);
  bytes_[port / 8u] &= ~bit(port);
  return changed;
}

bool congestion_map::any() const noexcept {
  std::uint64_t found = 0;
  for (std::size_t at = 0; at < bytes_.size(); at += sizeof found) {
    found |= word_at(bytes_.data() + at);
  }
  return found != 0;
}

freed_ports congestion_map::load_part(std::size_t at, std::span<std::byte const> from) noexcept {
  assert(at % 8 == 0 && from.size() % 8 == 0 && at <= bytes_.size() && from.size() <= bytes_.size() - at);
  // Words are folded as they lie in memory and put in order once: in little-endian order bit n is then port n modulo 64.
  std::uint64_t freed = 0;
  std::byte* const to = bytes_.data() + at;
  for (std::size_t i = 0; i < from.size(); i += sizeof freed) {
    freed |= word_at(to + i) & ~word_at(from.data() + i);
  }
  if (!from.empty()) {
    std::memmove(to, from.data(), from.size());
  }
  return freed_ports{little_endian(freed)};
}

}  // namespace rdsco::protocol
