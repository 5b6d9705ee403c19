// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "protocol/byte_order.hpp"
#include "protocol/limits.hpp"

namespace rdsco::protocol {

/// The header of every RDS message: once per message on TCP, once per fragment on verbs. It holds no addresses; those come
/// from the connection. Its four bytes of padding are sent as zero and not looked at.
struct header {
  std::uint64_t sequence = 0;  // per path; 0 in congestion maps and ack-only frames
  std::uint64_t ack = 0;       // last message received; unused by kernels on TCP
  std::uint32_t length = 0;    // payload of the whole message, also in each fragment
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  std::uint8_t flags = 0;
  std::uint8_t credit = 0;
  std::uint16_t checksum = 0;  // the field as it stands on the wire; see checksum.hpp
  std::array<std::byte, extension_bytes> extensions{};

  friend bool operator==(header const&, header const&) = default;
};

namespace flag {
inline constexpr std::uint8_t congestion_bitmap = 0x01;
inline constexpr std::uint8_t ack_required = 0x02;
inline constexpr std::uint8_t retransmitted = 0x04;
inline constexpr std::uint8_t heartbeat_ping = 0x08;
inline constexpr std::uint8_t heartbeat_pong = 0x10;
inline constexpr std::uint8_t more_extensions = 0x20;
}  // namespace flag

namespace offset {
inline constexpr std::size_t sequence = 0;
inline constexpr std::size_t ack = 8;
inline constexpr std::size_t length = 16;
inline constexpr std::size_t source_port = 20;
inline constexpr std::size_t destination_port = 22;
inline constexpr std::size_t flags = 24;
inline constexpr std::size_t credit = 25;
inline constexpr std::size_t padding = 26;
inline constexpr std::size_t checksum = 30;
inline constexpr std::size_t extensions = 32;
}  // namespace offset

inline void encode(header const& from, std::span<std::byte, header_bytes> to) noexcept {
  std::byte* const out = to.data();
  store_big_endian(out + offset::sequence, from.sequence);
  store_big_endian(out + offset::ack, from.ack);
  store_big_endian(out + offset::length, from.length);
  store_big_endian(out + offset::source_port, from.source_port);
  store_big_endian(out + offset::destination_port, from.destination_port);
  out[offset::flags] = std::byte{from.flags};
  out[offset::credit] = std::byte{from.credit};
  std::memset(out + offset::padding, 0, offset::checksum - offset::padding);
  store_big_endian(out + offset::checksum, from.checksum);
  std::memcpy(out + offset::extensions, from.extensions.data(), extension_bytes);
}

inline header decode(std::span<std::byte const, header_bytes> from) noexcept {
  std::byte const* const in = from.data();
  header h;
  h.sequence = load_big_endian<std::uint64_t>(in + offset::sequence);
  h.ack = load_big_endian<std::uint64_t>(in + offset::ack);
  h.length = load_big_endian<std::uint32_t>(in + offset::length);
  h.source_port = load_big_endian<std::uint16_t>(in + offset::source_port);
  h.destination_port = load_big_endian<std::uint16_t>(in + offset::destination_port);
  h.flags = std::to_integer<std::uint8_t>(in[offset::flags]);
  h.credit = std::to_integer<std::uint8_t>(in[offset::credit]);
  h.checksum = load_big_endian<std::uint16_t>(in + offset::checksum);
  std::memcpy(h.extensions.data(), in + offset::extensions, extension_bytes);
  return h;
}

/// Whether a byte may be kept for this message. A congestion map has its own size, whatever limit the node has set.
constexpr bool length_acceptable(header const& h, std::uint32_t max = max_message_bytes) noexcept {
  return h.length <= (h.flags == flag::congestion_bitmap ? std::max(max, congestion_map_bytes) : max);
}

}  // namespace rdsco::protocol
