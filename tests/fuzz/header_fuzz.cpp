// SPDX-License-Identifier: BSD-2-Clause
// What could go wrong: a header that decodes to something other than its bytes, or a frame taken for a kind that moves state wrongly.
// How it is forced: any 48 bytes under both rules; encoding must give them back, and each kind must have its defining fields.
#include <algorithm>
#include <array>

#include "fuzz/fuzz.hpp"
#include "protocol/checksum.hpp"
#include "protocol/kind.hpp"
#include "protocol/multipath.hpp"

using namespace rdsco::protocol;
using rdsco::fuzz::require;

namespace {

using frame = std::array<std::byte, header_bytes>;

void check_codec(frame const& wire) {
  frame expected = wire;
  std::fill(expected.begin() + offset::padding, expected.begin() + offset::checksum, std::byte{0});
  frame again;
  encode(decode(wire), again);
  require(again == expected);
}

void check_checksum(frame wire) {
  bool const was_ok = checksum_ok(wire);
  std::uint16_t const field = decode(wire).checksum;
  std::uint16_t const made = make_checksum(wire);
  // 0 and 0xffff are the same number to the sum; only the latter is looked at as a checksum.
  require(was_ok == (field == 0 || field == made || (field == 0xffff && made == 0)));
  seal<checksum_rule::always>(wire);
  require(checksum_ok(wire) && decode(wire).checksum == made);
  seal<checksum_rule::none>(wire);
  require(decode(wire).checksum == 0);
}

void check_kind(header const& h, frame_rules rules) {
  bool const portless = h.source_port == 0 && h.destination_port == 0;
  bool const map_flag = (h.flags & flag::congestion_bitmap) != 0;
  switch (classify(h, rules)) {
    case frame_kind::data: require(h.source_port != 0 && h.destination_port != 0 && !map_flag); break;
    case frame_kind::pong: require(h.source_port == 0 && h.destination_port > 1 && !map_flag); break;
    case frame_kind::ping: require(h.source_port > 1 && h.destination_port == 0 && !map_flag); break;
    case frame_kind::probe: require(h.source_port == 1 && h.destination_port == 0 && !map_flag); break;
    case frame_kind::probe_pong: require(h.source_port == 0 && h.destination_port == 1 && !map_flag); break;
    case frame_kind::congestion_map: require(h.flags == 0x01 && h.length == congestion_map_bytes); break;
    case frame_kind::bad_congestion_map: require(h.flags == 0x01 && h.length != congestion_map_bytes); break;
    case frame_kind::ack_only: require(rules.ack_frames && portless && h.length == 0 && h.sequence == 0); break;
    case frame_kind::ignored: require((portless || map_flag) && h.flags != 0x01); break;
  }
}

void check_offer(header const& h) {
  path_offer const offer = parse_offer(h);
  require(!offer.paths || (*offer.paths >= 1 && *offer.paths <= max_paths));
  require(!offer.node || offer.node->version != 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  rdsco::fuzz::input in{data, size};
  frame_rules const rules{in.number<std::uint8_t>() % 2 != 0};
  frame wire{};
  std::ranges::copy(in.bytes(header_bytes), wire.begin());
  check_codec(wire);
  check_checksum(wire);
  header const h = decode(wire);
  check_kind(h, rules);
  check_offer(h);
  require(length_acceptable(h) == (h.length <= max_message_bytes));
  return 0;
}
