// SPDX-License-Identifier: BSD-2-Clause
#include "tools/stress_header.hpp"

#include "protocol/byte_order.hpp"

#include <cstring>
#include <vector>

namespace rdsco::tools {

namespace {

std::vector<std::byte> generate() {
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

stress_header::wire stress_header::encode() const noexcept {
  wire made{};
  protocol::store_big_endian<std::uint32_t>(made.data(), number);
  protocol::store_big_endian<std::uint32_t>(made.data() + 4, from_host);
  protocol::store_big_endian<std::uint32_t>(made.data() + 8, to_host);
  protocol::store_big_endian<std::uint16_t>(made.data() + 12, from_port);
  protocol::store_big_endian<std::uint16_t>(made.data() + 14, to_port);
  protocol::store_big_endian<std::uint16_t>(made.data() + 16, index);
  made[18] = static_cast<std::byte>(kind);
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

const_buffer stress_payload(std::size_t bytes) noexcept {
  static std::vector<std::byte> const all = generate();
  return const_buffer(all).first(bytes);
}

bool stress_payload_intact(const_buffers whole) noexcept {
  auto const wanted = stress_payload(whole.size() - stress_header::bytes);
  std::size_t skip = stress_header::bytes, done = 0;
  for (const_buffer part : whole.parts()) {
    auto const rest = part.subspan(std::min(skip, part.size()));
    skip -= part.size() - rest.size();
    if (!rest.empty() && std::memcmp(rest.data(), wanted.data() + done, rest.size()) != 0) return false;
    done += rest.size();
  }
  return true;
}

}  // namespace rdsco::tools
