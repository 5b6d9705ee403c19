// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/buffer.hpp>
#include <rdsco/endpoint.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace rdsco::tools {

enum class stress_kind : std::uint8_t { request = 1, acknowledgement = 2 };

/// What a datagram of rds-stress begins with. Numbers count all datagrams from one task to another, requests and
/// acknowledgements together, from 0; an acknowledgement repeats the index of its request.
struct stress_header {
  /// On the wire: these fields in this order, big-endian, then 44 bytes that only RDMA uses.
  static constexpr std::size_t bytes = 63;
  using wire = std::array<std::byte, bytes>;

  std::uint32_t number = 0;
  std::uint32_t from_host = 0, to_host = 0;
  std::uint16_t from_port = 0, to_port = 0;
  std::uint16_t index = 0;
  stress_kind kind = stress_kind::request;

  stress_header() noexcept = default;
  stress_header(endpoint const& from, endpoint const& to) noexcept;

  [[nodiscard]] wire encode() const noexcept;
  /// Any 63 bytes are a header; whether it is the expected one is for the account to say.
  [[nodiscard]] static stress_header decode(wire const& from) noexcept;
};

/// An address as rds-stress writes it: an IPv4 address itself. It knows no IPv6; between two rdsco ends an IPv6 address is
/// folded to 32 bits, which still tells one host from another.
[[nodiscard]] std::uint32_t stress_host(address const& host) noexcept;

/// What follows the header, the same in every datagram (rds-stress -v): it tells swapped blocks of 256 bytes apart.
[[nodiscard]] const_buffer stress_payload(std::size_t bytes) noexcept;
/// The largest datagram's worth.
inline constexpr std::size_t stress_bytes_max = 1u << 20;
/// Whether all behind the header is as it was sent.
[[nodiscard]] bool stress_payload_intact(const_buffers whole) noexcept;

}  // namespace rdsco::tools
