// SPDX-License-Identifier: BSD-2-Clause
#include "tools/stress_header.hpp"

#include "protocol/byte_order.hpp"

#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

namespace rdsco::tools {

namespace {

constexpr std::size_t fields_bytes = 19;
constexpr std::size_t places = 1u << 16;  // where a payload may begin in the random bytes

// The finaliser of splitmix64.
std::uint64_t mixed(std::uint64_t value) noexcept {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

std::uint64_t nth_random(std::uint64_t seed, std::uint64_t n) noexcept { return mixed(seed + (n + 1) * 0x9e3779b97f4a7c15u); }

void fill_randomly(std::span<std::byte> into, std::uint64_t seed) noexcept {
  for (std::size_t at = 0; at < into.size(); at += 8) {
    std::array<std::byte, 8> word{};
    protocol::store_big_endian<std::uint64_t>(word.data(), nth_random(seed, at / 8));
    std::memcpy(into.data() + at, word.data(), std::min(word.size(), into.size() - at));
  }
}

std::vector<std::byte> random_bytes() {
  std::vector<std::byte> made(stress_bytes_max + places);
  fill_randomly(made, 0);
  return made;
}

std::uint64_t name_of(stress_header const& header) noexcept {
  auto const hosts = std::uint64_t(header.from_host) << 32 | header.to_host;
  auto const ports = std::uint64_t(header.from_port) << 16 | header.to_port;
  auto const which = std::uint64_t(header.number) << 32 | std::uint64_t(header.index) << 8 | static_cast<std::uint64_t>(header.kind);
  return nth_random(nth_random(mixed(hosts), ports), which);
}

bool holds(const_buffers whole, std::size_t skip, const_buffer wanted) noexcept {
  std::size_t done = 0;
  for (const_buffer part : whole.parts()) {
    auto const rest = part.subspan(std::min(skip, part.size()));
    skip -= part.size() - rest.size();
    auto const now = std::min(rest.size(), wanted.size() - done);
    if (now != 0 && std::memcmp(rest.data(), wanted.data() + done, now) != 0) return false;
    done += now;
  }
  return done == wanted.size();
}

std::vector<std::byte> rds_stress_bytes() {
  std::vector<std::byte> made(stress_bytes_max);
  unsigned k = 11;
  for (std::size_t i = 0; i < made.size(); ++i) {
    k = (41 * (k + 3) + static_cast<unsigned>(i >> 8)) & 0xff;
    made[i] = static_cast<std::byte>(k);
  }
  return made;
}

}  // namespace

std::uint32_t stress_host(address const& host) noexcept {
  auto const& bytes = host.bytes();
  std::uint32_t folded = 0;
  for (std::size_t at = host.is_v4() ? 12 : 0; at < bytes.size(); at += 4) folded ^= protocol::load_big_endian<std::uint32_t>(bytes.data() + at);
  return folded;
}

stress_header::stress_header(endpoint const& from, endpoint const& to) noexcept
    : from_host(stress_host(from.host)), to_host(stress_host(to.host)), from_port(from.port), to_port(to.port) {}

stress_header::wire stress_header::encode(stress_filling filling) const noexcept {
  wire made{};
  protocol::store_big_endian<std::uint32_t>(made.data(), number);
  protocol::store_big_endian<std::uint32_t>(made.data() + 4, from_host);
  protocol::store_big_endian<std::uint32_t>(made.data() + 8, to_host);
  protocol::store_big_endian<std::uint16_t>(made.data() + 12, from_port);
  protocol::store_big_endian<std::uint16_t>(made.data() + 14, to_port);
  protocol::store_big_endian<std::uint16_t>(made.data() + 16, index);
  made[18] = static_cast<std::byte>(kind);
  if (filling == stress_filling::by_name) fill_randomly(std::span(made).subspan(fields_bytes), name_of(*this));
  return made;
}

stress_header stress_header::decode(wire const& from) noexcept {
  stress_header made;
  made.number = protocol::load_big_endian<std::uint32_t>(from.data());
  made.from_host = protocol::load_big_endian<std::uint32_t>(from.data() + 4);
  made.to_host = protocol::load_big_endian<std::uint32_t>(from.data() + 8);
  made.from_port = protocol::load_big_endian<std::uint16_t>(from.data() + 12);
  made.to_port = protocol::load_big_endian<std::uint16_t>(from.data() + 14);
  made.index = protocol::load_big_endian<std::uint16_t>(from.data() + 16);
  made.kind = static_cast<stress_kind>(from[18]);
  return made;
}

const_buffer stress_payload(stress_header const& header, std::size_t bytes, stress_filling filling) noexcept {
  static std::vector<std::byte> const by_place = rds_stress_bytes(), random = random_bytes();
  if (filling == stress_filling::by_place) return const_buffer(by_place).first(bytes);
  return const_buffer(random).subspan(name_of(header) % places, bytes);
}

bool stress_intact(stress_header const& header, const_buffers whole, stress_filling filling) noexcept {
  if (filling == stress_filling::by_name) {
    auto const wanted = header.encode(filling);
    if (!holds(whole, 0, const_buffer(wanted))) return false;
  }
  return holds(whole, stress_header::bytes, stress_payload(header, whole.size() - stress_header::bytes, filling));
}

}  // namespace rdsco::tools
