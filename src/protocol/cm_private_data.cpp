// SPDX-License-Identifier: BSD-2-Clause
#include "protocol/cm_private_data.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "protocol/byte_order.hpp"
#include "protocol/limits.hpp"

namespace rdsco::protocol {
namespace {

constexpr std::size_t common_bytes = 24;
constexpr std::size_t padding_bytes = 4;
constexpr std::size_t v4_bytes = 4;
constexpr std::size_t v6_bytes = 16;

// Offsets behind the two addresses.
constexpr std::size_t at_major = 0;
constexpr std::size_t at_minor = 1;
constexpr std::size_t at_minor_mask = 2;
constexpr std::size_t at_type_of_service = 4;
constexpr std::size_t at_fragment_size = 6;
constexpr std::size_t at_ack = 8;
constexpr std::size_t at_credit = 16;
constexpr std::size_t at_life = 20;
constexpr std::size_t at_ack_life = 22;

void encode_common(cm_private_data const& from, std::byte* to) noexcept {
  std::memset(to, 0, common_bytes);
  to[at_major] = std::byte{from.version.major};
  to[at_minor] = std::byte{from.version.minor};
  store_big_endian(to + at_minor_mask, from.minor_mask);
  to[at_type_of_service] = std::byte{from.type_of_service};
  store_big_endian(to + at_fragment_size, from.fragment_size);
  store_big_endian(to + at_ack, from.ack);
  store_big_endian(to + at_credit, from.initial_credit);
  store_big_endian(to + at_life, from.life);
  store_big_endian(to + at_ack_life, from.ack_life);
}

void decode_padding(std::byte const* from, cm_private_data& to) noexcept {
  to.life = load_big_endian<std::uint16_t>(from + at_life);
  to.ack_life = load_big_endian<std::uint16_t>(from + at_ack_life);
}

void decode_common(std::byte const* from, cm_private_data& to) noexcept {
  to.version = {std::to_integer<std::uint8_t>(from[at_major]), std::to_integer<std::uint8_t>(from[at_minor])};
  to.minor_mask = load_big_endian<std::uint16_t>(from + at_minor_mask);
  to.type_of_service = std::to_integer<std::uint8_t>(from[at_type_of_service]);
  to.fragment_size = load_big_endian<std::uint16_t>(from + at_fragment_size);
  to.ack = load_big_endian<std::uint64_t>(from + at_ack);
  to.initial_credit = load_big_endian<std::uint32_t>(from + at_credit);
}

address_bytes read_address(std::byte const* from, std::size_t size) noexcept {
  address_bytes address = size == v4_bytes ? map_v4(0, 0, 0, 0) : address_bytes{};
  std::copy_n(from, size, address.end() - static_cast<std::ptrdiff_t>(size));
  return address;
}

void write_address(address_bytes const& from, std::size_t size, std::byte* to) noexcept {
  std::copy_n(from.end() - static_cast<std::ptrdiff_t>(size), size, to);
}

void encode_all(cm_private_data const& from, std::size_t address_size, std::byte* to) noexcept {
  write_address(from.source, address_size, to);
  write_address(from.destination, address_size, to + address_size);
  encode_common(from, to + 2 * address_size);
}

bool usual_fragments(cm_private_data const& told) noexcept { return told.fragment_size == 0 || told.fragment_size == fragment_bytes; }

}  // namespace

void encode_v4(cm_private_data const& from, std::span<std::byte, cm_private_v4_bytes> to) noexcept {
  encode_all(from, v4_bytes, to.data());
}

void encode_v6(cm_private_data const& from, std::span<std::byte, cm_private_v6_bytes> to) noexcept {
  encode_all(from, v6_bytes, to.data());
}

std::optional<cm_private_data> decode_cm(address_family family, std::span<std::byte const> from) noexcept {
  std::size_t const address_size = family == address_family::v4 ? v4_bytes : v6_bytes;
  if (from.size() < 2 * address_size + common_bytes - padding_bytes) {
    return std::nullopt;
  }
  cm_private_data data;
  data.source = read_address(from.data(), address_size);
  data.destination = read_address(from.data() + address_size, address_size);
  decode_common(from.data() + 2 * address_size, data);
  if (from.size() >= 2 * address_size + common_bytes) {
    decode_padding(from.data() + 2 * address_size, data);
  }
  return data;
}

std::optional<protocol_version> choose_version(cm_private_data const& request) noexcept {
  if (!has_content(request)) {
    return version_4_0;
  }
  if (request.version == version_3_1) {
    return version_3_1;
  }
  unsigned const common_minors = request.minor_mask & minor_mask_bits;
  if (request.version.major != 4 || common_minors == 0 || !usual_fragments(request)) {
    return std::nullopt;
  }
  return protocol_version{4, static_cast<std::uint8_t>(std::bit_width(common_minors) - 1)};
}

std::optional<protocol_version> version_of_reply(cm_private_data const& reply) noexcept {
  if (!has_content(reply)) {
    return version_4_1;
  }
  if (reply.version == version_3_1) {
    return version_3_1;
  }
  bool const known = reply.version == version_4_0 || reply.version == version_4_1;
  return known && usual_fragments(reply) ? std::optional(reply.version) : std::nullopt;
}

}  // namespace rdsco::protocol
