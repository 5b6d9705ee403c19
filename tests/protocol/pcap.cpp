// SPDX-License-Identifier: BSD-2-Clause
#include "protocol/pcap.hpp"

#include <fstream>
#include <iterator>
#include <stdexcept>

#include "protocol/byte_order.hpp"
#include "protocol/limits.hpp"

namespace rdsco::test {
namespace {

using protocol::load_big_endian;

constexpr std::size_t file_header_bytes = 24;
constexpr std::size_t record_header_bytes = 16;
constexpr std::size_t ethernet_bytes = 14;
constexpr std::uint16_t ethernet_ipv4 = 0x0800;
constexpr std::uint8_t ip_tcp = 6;
constexpr std::uint8_t ip_udp = 17;
constexpr std::uint16_t rdma_udp_port = 4791;

std::uint32_t u32_little_endian(std::byte const* at) { return protocol::byteswap(load_big_endian<std::uint32_t>(at)); }
std::uint32_t u24(std::byte const* at) { return load_big_endian<std::uint32_t>(at - 1) & 0xffffff; }
std::uint16_t u16(std::byte const* at) { return load_big_endian<std::uint16_t>(at); }
unsigned u8(std::byte at) { return std::to_integer<unsigned>(at); }

}  // namespace

capture::capture(std::string const& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  for (std::istreambuf_iterator<char> at(file), end; at != end; ++at) bytes_.push_back(static_cast<std::byte>(*at));
  if (bytes_.size() < file_header_bytes || u32_little_endian(bytes_.data()) != 0xa1b2c3d4) {
    throw std::runtime_error(path + " is no little-endian capture with microseconds");
  }
}

template <class Visit>
void capture::for_each_datagram(std::uint8_t ip_protocol, Visit visit) const {
  std::size_t at = file_header_bytes;
  while (at + record_header_bytes <= bytes_.size()) {
    std::size_t const captured = u32_little_endian(bytes_.data() + at + 8);
    auto const frame = std::span{bytes_}.subspan(at + record_header_bytes).first(captured);
    at += record_header_bytes + captured;
    if (frame.size() < ethernet_bytes + 20 || u16(frame.data() + 12) != ethernet_ipv4) continue;
    auto const ip = frame.subspan(ethernet_bytes);
    std::size_t const header = (u8(ip[0]) & 15) * 4;
    if (u8(ip[9]) != ip_protocol) continue;
    packet_ends ends;
    ends.source = load_big_endian<std::uint32_t>(ip.data() + 12);
    ends.destination = load_big_endian<std::uint32_t>(ip.data() + 16);
    // Ethernet pads small frames; only the length in the IP header tells where the datagram ends.
    auto const body = ip.first(u16(ip.data() + 2)).subspan(header);
    ends.source_port = u16(body.data());
    ends.destination_port = u16(body.data() + 2);
    visit(ends, body);
  }
}

void capture::for_each_segment(std::function<void(tcp_segment const&)> const& visit) const {
  for_each_datagram(ip_tcp, [&](packet_ends const& ends, std::span<std::byte const> body) {
    if (ends.source_port != protocol::tcp_port && ends.destination_port != protocol::tcp_port) return;
    tcp_segment segment;
    segment.ends = ends;
    segment.sequence = load_big_endian<std::uint32_t>(body.data() + 4);
    segment.flags = static_cast<std::uint8_t>(u8(body[13]));
    segment.payload = body.subspan((u8(body[12]) >> 4) * 4);
    visit(segment);
  });
}

void capture::for_each_rdma_packet(std::function<void(rdma_packet const&)> const& visit) const {
  constexpr std::size_t udp_bytes = 8;
  constexpr std::size_t base_header_bytes = 12;
  constexpr std::size_t checksum_bytes = 4;
  for_each_datagram(ip_udp, [&](packet_ends const& ends, std::span<std::byte const> body) {
    if (ends.destination_port != rdma_udp_port) return;
    auto const base = body.subspan(udp_bytes);
    std::size_t const padding = u8(base[1]) >> 4 & 3;
    rdma_packet packet;
    packet.ends = ends;
    packet.opcode = static_cast<std::uint8_t>(u8(base[0]));
    packet.queue_pair = u24(base.data() + 5);
    packet.number = u24(base.data() + 9);
    packet.payload = base.subspan(base_header_bytes);
    packet.payload = packet.payload.first(packet.payload.size() - checksum_bytes - padding);
    visit(packet);
  });
}

}  // namespace rdsco::test
