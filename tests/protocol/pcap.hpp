// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace rdsco::test {

struct packet_ends {
  std::uint32_t source = 0;  // IPv4, host order
  std::uint32_t destination = 0;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;

  friend auto operator<=>(packet_ends const&, packet_ends const&) = default;
};

/// One TCP segment of port 16385.
struct tcp_segment {
  packet_ends ends;
  std::uint32_t sequence = 0;
  std::uint8_t flags = 0;
  std::span<std::byte const> payload;
};

inline constexpr std::uint8_t tcp_syn = 0x02;
inline constexpr std::uint8_t tcp_reset = 0x04;

/// One datagram to UDP port 4791: an RDMA packet over Ethernet, from its base transport header to before its checksum.
struct rdma_packet {
  packet_ends ends;
  std::uint8_t opcode = 0;
  std::uint32_t queue_pair = 0;
  std::uint32_t number = 0;  // packet sequence number, 24 bits
  std::span<std::byte const> payload;
};

/// A classic capture file of IPv4 over Ethernet, read whole.
class capture {
 public:
  /// Throws std::runtime_error if the file is missing or of another kind.
  explicit capture(std::string const& path);

  void for_each_segment(std::function<void(tcp_segment const&)> const& visit) const;
  void for_each_rdma_packet(std::function<void(rdma_packet const&)> const& visit) const;

 private:
  template <class Visit>
  void for_each_datagram(std::uint8_t ip_protocol, Visit visit) const;

  std::vector<std::byte> bytes_;
};

}  // namespace rdsco::test
