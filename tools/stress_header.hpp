// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/buffer.hpp>
#include <rdsco/endpoint.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace rdsco::tools {

enum class stress_kind : std::uint8_t { request = 1, acknowledgement = 2 };

/// What a datagram holds behind the fields of its header.
enum class stress_filling : std::uint8_t {
  by_place,  ///< as rds-stress -v: each byte of the payload follows from its place alone, which tells swapped blocks apart
  by_name    ///< between two rdsco ends: all bytes follow from the fields too, so that those of one datagram do not pass for another's
};

/// What a datagram of rds-stress begins with. Numbers count all datagrams from one task to another, requests and
/// acknowledgements together, from 0; an acknowledgement repeats the index of its request.
struct stress_header {
  /// On the wire: these fields in this order, big-endian, then 44 bytes that rds-stress uses for RDMA only.
  static constexpr std::size_t bytes = 63;
  using wire = std::array<std::byte, bytes>;

  std::uint32_t number = 0;
  std::uint32_t from_host = 0, to_host = 0;
  std::uint16_t from_port = 0, to_port = 0;
  std::uint16_t index = 0;
  stress_kind kind = stress_kind::request;

  stress_header() noexcept = default;
  stress_header(endpoint const& from, endpoint const& to) noexcept;

  [[nodiscard]] wire encode(stress_filling filling) const noexcept;
  /// Any 63 bytes are a header; whether it is the expected one is for the account to say.
  [[nodiscard]] static stress_header decode(wire const& from) noexcept;
};

/// An address as rds-stress writes it: an IPv4 address itself. It knows no IPv6; between two rdsco ends an IPv6 address is
/// folded to 32 bits, which still tells one host from another.
[[nodiscard]] std::uint32_t stress_host(address const& host) noexcept;

/// The largest datagram's worth.
inline constexpr std::size_t stress_bytes_max = 1u << 20;
/// What follows this header.
[[nodiscard]] const_buffer stress_payload(stress_header const& header, std::size_t bytes, stress_filling filling) noexcept;
/// Whether all behind the fields of `header` is as it was sent; what an rds-stress has for RDMA is its own affair.
/// `whole` holds a header and at most stress_bytes_max bytes.
[[nodiscard]] bool stress_intact(stress_header const& header, const_buffers whole, stress_filling filling) noexcept;

}  // namespace rdsco::tools
