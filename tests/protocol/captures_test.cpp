// SPDX-License-Identifier: BSD-2-Clause
// What could go wrong: our reading of the wire format is consistent with itself and still not what kernels send.
// How it is forced: traffic captured between real kernels, over TCP and soft-RoCE, against what another decoder printed for it.
#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "protocol/checksum.hpp"
#include "protocol/cm_private_data.hpp"
#include "protocol/congestion_map.hpp"
#include "protocol/extension.hpp"
#include "protocol/fragment.hpp"
#include "protocol/hex.hpp"
#include "protocol/kind.hpp"
#include "protocol/multipath.hpp"
#include "protocol/pcap.hpp"
#include "protocol/sequence.hpp"

using namespace rdsco::protocol;
using namespace rdsco::test;

namespace {

std::string data(std::string const& name) { return RDSCO_TEST_DATA "/captures/" + name; }

// A header in the words of the other decoder.
std::string describe(header const& h) {
  static constexpr std::array<char const*, 3> flag_names{"CONG_BITMAP", "ACK_REQUIRED", "RETRANSMITTED"};
  std::ostringstream text;
  text << "RDS seq=" << h.sequence << " ack=" << h.ack << " len=" << h.length << ' ' << h.source_port << "->"
       << h.destination_port << " flags=0x" << to_hex(std::array{std::byte{h.flags}});
  std::string names;
  for (std::size_t bit = 0; bit < flag_names.size(); ++bit) {
    if ((h.flags >> bit & 1) != 0) names += (names.empty() ? "" : "|") + std::string{flag_names[bit]};
  }
  text << (names.empty() ? "" : "(" + names + ")") << " credit=" << unsigned{h.credit};
  return text.str();
}

std::string hex32(std::uint32_t value) {
  std::array<std::byte, 4> bytes;
  store_big_endian(bytes.data(), value);
  return "0x" + to_hex(bytes);
}

std::string describe_extensions(header const& h) {
  extension_values const values = parse_extensions(h.extensions);
  std::string text;
  if (values.path_count) text += " NPATHS=" + std::to_string(*values.path_count);
  if (values.rdma_key) text += " RDMA=rkey=" + hex32(*values.rdma_key);
  if (values.rdma_destination) {
    text += " RDMA_DEST=rkey=" + hex32(values.rdma_destination->key) + " off=" + std::to_string(values.rdma_destination->offset);
  }
  return text.empty() ? text : " ext[" + text.substr(1) + "]";
}

struct expected_frame {
  std::string line;  // from "RDS seq=" on
  std::string hex;   // the 48 bytes
};

std::vector<expected_frame> expected_frames(std::string const& name) {
  std::ifstream file(data(name + ".txt"));
  REQUIRE(file);
  std::vector<expected_frame> frames;
  for (std::string line; std::getline(file, line);) {
    if (auto const at = line.find("RDS seq="); at != std::string::npos) frames.push_back({line.substr(at), {}});
    if (auto const at = line.find(" hdr "); at != std::string::npos && !frames.empty()) frames.back().hex = line.substr(at + 5);
  }
  return frames;
}

struct seen_frame {
  header head;
  std::string hex;
};

void check_against_text(std::vector<seen_frame> const& seen, std::vector<expected_frame> const& expected) {
  REQUIRE(!expected.empty());
  REQUIRE(seen.size() == expected.size());
  for (std::size_t i = 0; i < seen.size(); ++i) {
    INFO("frame " << i << ": " << expected[i].line);
    CHECK(seen[i].hex == expected[i].hex);
    CHECK(expected[i].line.starts_with(describe(seen[i].head) + ' '));
    auto const extensions = describe_extensions(seen[i].head);
    CHECK((expected[i].line.find(" ext[") != std::string::npos) == !extensions.empty());
    CHECK(expected[i].line.find(extensions) != std::string::npos);
  }
}

// One direction of a TCP connection, put in order; holes do not occur in these captures.
struct stream {
  std::uint32_t next = 0;
  std::vector<std::byte> bytes;
  receive_sequence numbers;
};

void append(stream& to, tcp_segment const& segment) {
  std::uint32_t const ahead = segment.sequence - to.next;
  if (ahead == 0) {
    to.bytes.insert(to.bytes.end(), segment.payload.begin(), segment.payload.end());
    to.next += static_cast<std::uint32_t>(segment.payload.size());
    return;
  }
  REQUIRE(ahead >= 0x80000000);  // sent again
  std::size_t const known = std::min<std::size_t>(0 - ahead, segment.payload.size());
  if (known < segment.payload.size()) {
    tcp_segment rest = segment;
    rest.sequence += static_cast<std::uint32_t>(known);
    rest.payload = segment.payload.subspan(known);
    append(to, rest);
  }
}

std::vector<seen_frame> tcp_frames(std::string const& name) {
  std::map<packet_ends, stream> streams;
  std::vector<seen_frame> seen;
  capture{data(name + ".pcap")}.for_each_segment([&](tcp_segment const& segment) {
    if ((segment.flags & tcp_syn) != 0) {
      streams[segment.ends] = stream{segment.sequence + 1, {}, {}};
      return;
    }
    if (segment.payload.empty() || (segment.flags & tcp_reset) != 0) return;
    stream& s = streams.try_emplace(segment.ends, stream{segment.sequence, {}, {}}).first->second;
    append(s, segment);
    while (s.bytes.size() >= header_bytes) {
      auto const head = std::span<std::byte const>{s.bytes}.first<header_bytes>();
      header const h = decode(head);
      REQUIRE(length_acceptable(h));
      if (s.bytes.size() < header_bytes + h.length) break;
      std::array<std::byte, header_bytes> again;
      encode(h, again);
      CHECK(std::ranges::equal(again, head));
      auto const kind = classify(h, {});
      CHECK(kind != frame_kind::ignored);
      if (is_numbered(kind)) CHECK(s.numbers.admit(h.sequence, (h.flags & flag::retransmitted) != 0) == sequence_verdict::fresh);
      seen.push_back({h, to_hex(head)});
      s.bytes.erase(s.bytes.begin(), s.bytes.begin() + static_cast<std::ptrdiff_t>(header_bytes + h.length));
    }
  });
  return seen;
}

constexpr std::uint8_t send_first = 0;
constexpr std::uint8_t send_middle = 1;
constexpr std::uint8_t send_last = 2;
constexpr std::uint8_t send_only = 4;
constexpr std::uint8_t datagram_send_only = 0x64;

bool is_send(std::uint8_t opcode) {
  return opcode == send_first || opcode == send_middle || opcode == send_last || opcode == send_only;
}

using lane = std::pair<packet_ends, std::uint32_t>;

lane lane_of(rdma_packet const& packet) { return {packet.ends, packet.queue_pair}; }

// Every whole SEND, also those that the fabric repeats.
template <class Visit>
void for_each_send(std::string const& name, Visit visit) {
  std::map<lane, std::vector<std::byte>> partial;
  capture{data(name + ".pcap")}.for_each_rdma_packet([&](rdma_packet const& packet) {
    if (!is_send(packet.opcode)) return;
    auto& bytes = partial[lane_of(packet)];
    if (packet.opcode == send_first || packet.opcode == send_only) bytes.clear();
    bytes.insert(bytes.end(), packet.payload.begin(), packet.payload.end());
    bool const ends = packet.opcode == send_last || packet.opcode == send_only;
    if (ends && bytes.size() >= header_bytes) visit(lane_of(packet), packet.number, std::span<std::byte const>{bytes});
  });
}

std::vector<std::string> const tcp_captures{
    "tcp1-setup-datagram-ping", "tcp1-linux6.12-setup-datagram-ping", "tcp2-congestion",
    "tcp3-large-unbound",       "tcp4-reconnect",                     "tcp5-duel-1",
    "tcp5-duel-2",              "tcp6-higher-initiates",              "tcp7-userspace-passive-peer-npaths4"};

std::vector<std::string> const verbs_captures{"ib1-setup-datagram-ping", "ib2-congestion", "ib3-tos5-connection",
                                              "ib4-rdma-stress-D8192", "ib5-peer-unload", "ib6-reconnect"};

}  // namespace

TEST_CASE("kernels over TCP: every frame, and its bytes again") {
  std::size_t total = 0;
  for (std::string const& name : tcp_captures) {
    INFO(name);
    auto const seen = tcp_frames(name);
    check_against_text(seen, expected_frames(name));
    total += seen.size();
  }
  CHECK(total == 103);
}

TEST_CASE("kernels over soft-RoCE: every SEND, its checksum and its bytes again") {
  for (std::string const& name : verbs_captures) {
    INFO(name);
    std::vector<seen_frame> seen;
    for_each_send(name, [&](lane const&, std::uint32_t, std::span<std::byte const> frame) {
      auto const head = frame.first<header_bytes>();
      REQUIRE(checksum_ok(head));
      header const h = decode(head);
      std::array<std::byte, header_bytes> again;
      encode(h, again);
      CHECK(std::ranges::equal(again, head));
      seal<checksum_rule::always>(again);
      CHECK(std::ranges::equal(again, head));
      seen.push_back({h, to_hex(head)});
    });
    check_against_text(seen, expected_frames(name));
  }
}

TEST_CASE("kernels over soft-RoCE: the fragments of every message fit together") {
  std::size_t messages = 0;
  std::size_t maps = 0;
  for (std::string const& name : verbs_captures) {
    INFO(name);
    std::map<lane, fragment_assembly> assemblies;
    std::set<std::pair<lane, std::uint32_t>> known;
    for_each_send(name, [&](lane const& on, std::uint32_t number, std::span<std::byte const> frame) {
      if (!known.emplace(on, number).second) return;  // the fabric repeats a packet that found no receive buffer
      auto& in = assemblies[on];
      auto const verdict = in.admit(frame);
      INFO(describe(in.last()) << ": " << to_string(verdict));
      REQUIRE_FALSE(must_reset(verdict));
      if (verdict != fragment_verdict::complete) return;
      auto const kind = classify(in.first(), {true});
      CHECK((kind == frame_kind::congestion_map || is_numbered(kind)));
      maps += kind == frame_kind::congestion_map ? 1 : 0;
      ++messages;
    });
  }
  CHECK(messages > 100);
  CHECK(maps > 5);
}

TEST_CASE("kernels over soft-RoCE: private data of requests and replies") {
  constexpr std::size_t request_private = 140 + 36;
  constexpr std::size_t reply_private = 36;
  std::size_t checked = 0;
  for (std::string const& name : verbs_captures) {
    INFO(name);
    capture{data(name + ".pcap")}.for_each_rdma_packet([&](rdma_packet const& packet) {
      if (packet.opcode != datagram_send_only || packet.queue_pair != 1) return;
      auto const datagram = packet.payload.subspan(8);
      auto const attribute = load_big_endian<std::uint16_t>(datagram.data() + 16);
      if (attribute != 0x10 && attribute != 0x13) return;
      auto const message = datagram.subspan(24);
      auto const ours = message.subspan(attribute == 0x10 ? request_private : reply_private);
      auto const read = decode_cm(address_family::v4, ours);
      REQUIRE(read);
      CHECK(read->source == map_v4(static_cast<std::uint8_t>(packet.ends.source >> 24),
                                   static_cast<std::uint8_t>(packet.ends.source >> 16),
                                   static_cast<std::uint8_t>(packet.ends.source >> 8),
                                   static_cast<std::uint8_t>(packet.ends.source)));
      CHECK(choose_version(*read) == version_3_1);
      CHECK(read->minor_mask == minor_mask_bits);
      CHECK(read->type_of_service == (name == "ib3-tos5-connection" ? 5 : read->type_of_service));
      std::array<std::byte, cm_private_v4_bytes> again;
      encode_v4(*read, again);
      CHECK(std::ranges::equal(again, ours.first(cm_private_v4_bytes)));
      ++checked;
    });
  }
  CHECK(checked >= 4);
}

TEST_CASE("a captured congestion: the map names the port and a later one frees it") {
  std::vector<header> maps;
  congestion_map map;
  std::set<std::size_t> congested_counts;
  std::uint64_t freed = 0;
  std::map<packet_ends, std::vector<std::byte>> streams;
  capture{data("tcp2-congestion.pcap")}.for_each_segment([&](tcp_segment const& segment) {
    auto& bytes = streams[segment.ends];
    bytes.insert(bytes.end(), segment.payload.begin(), segment.payload.end());
  });
  for (auto const& [ends, bytes] : streams) {
    for (std::size_t at = 0; at + header_bytes <= bytes.size();) {
      header const h = decode(std::span<std::byte const>{bytes}.subspan(at).first<header_bytes>());
      if (at + header_bytes + h.length > bytes.size()) break;
      if (classify(h, {}) == frame_kind::congestion_map) {
        freed |= map.load(std::span<std::byte const>{bytes}.subspan(at + header_bytes).first<congestion_map_bytes>()).mask;
        std::size_t count = 0;
        for (unsigned port = 0; port < 65536; ++port) count += map.test(static_cast<std::uint16_t>(port)) ? 1 : 0;
        congested_counts.insert(count);
      }
      at += header_bytes + h.length;
    }
  }
  CHECK(congested_counts == std::set<std::size_t>{0, 1});
  CHECK(freed != 0);
}
