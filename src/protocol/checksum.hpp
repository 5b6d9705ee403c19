// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "protocol/byte_order.hpp"
#include "protocol/header.hpp"

namespace rdsco::protocol {

/// What a transport does with the header checksum: TCP sends none and looks at none, verbs send and verify always.
enum class checksum_rule : std::uint8_t { none, always };

namespace detail {

// RFC 1071: the sum may be taken in any byte order and width, as long as it is stored in the same order.
inline std::uint64_t sum_words(std::span<std::byte const, header_bytes> frame) noexcept {
  std::uint64_t sum = 0;
  for (std::size_t at = 0; at < header_bytes; at += sizeof(std::uint32_t)) {
    std::uint32_t word;
    std::memcpy(&word, frame.data() + at, sizeof word);
    sum += word;
  }
  return sum;
}

constexpr std::uint16_t fold(std::uint64_t sum) noexcept {
  sum = (sum & 0xffff'ffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>((sum & 0xffff) + (sum >> 16));
}

}  // namespace detail

/// The value of the checksum field over all 48 bytes with that field taken as zero, as `header::checksum` holds it. It may
/// itself be 0, which then looks unchecked on the wire.
inline std::uint16_t make_checksum(std::span<std::byte const, header_bytes> frame) noexcept {
  std::array const field{std::byte{0}, std::byte{0}, frame[offset::checksum], frame[offset::checksum + 1]};
  std::uint32_t own_part;
  std::memcpy(&own_part, field.data(), sizeof own_part);
  return big_endian(static_cast<std::uint16_t>(~detail::fold(detail::sum_words(frame) - own_part)));
}

/// A field of zero means "not checksummed" and is accepted.
inline bool checksum_ok(std::span<std::byte const, header_bytes> frame) noexcept {
  bool const unchecked = frame[offset::checksum] == std::byte{0} && frame[offset::checksum + 1] == std::byte{0};
  return unchecked || detail::fold(detail::sum_words(frame)) == 0xffff;
}

/// Writes the checksum field of an encoded header as the transport wants it.
template <checksum_rule Rule>
inline void seal(std::span<std::byte, header_bytes> frame) noexcept {
  std::uint16_t const field = Rule == checksum_rule::always ? make_checksum(frame) : std::uint16_t{0};
  store_big_endian(frame.data() + offset::checksum, field);
}

template <checksum_rule Rule>
inline bool intact(std::span<std::byte const, header_bytes> frame) noexcept {
  return Rule == checksum_rule::none || checksum_ok(frame);
}

}  // namespace rdsco::protocol
