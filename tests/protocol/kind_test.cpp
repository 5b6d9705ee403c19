// SPDX-License-Identifier: BSD-2-Clause
// What could go wrong: a fast test taken before a rule that comes first, so that some combination of ports and flags changes kind.
// How it is forced: every flag byte with every pair of special ports, against the rules written one below the other.
#include "protocol/kind.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <set>

using namespace rdsco::protocol;

namespace {

header make(std::uint16_t source, std::uint16_t destination, std::uint8_t flags = 0, std::uint32_t length = 0,
            std::uint64_t sequence = 1) {
  header h;
  h.source_port = source;
  h.destination_port = destination;
  h.flags = flags;
  h.length = length;
  h.sequence = sequence;
  return h;
}

frame_kind by_the_rules(header const& h, frame_rules rules) {
  bool const portless = h.source_port == 0 && h.destination_port == 0;
  if (rules.ack_frames && portless && h.length == 0 && h.sequence == 0 && (h.flags & 0x18) == 0) return frame_kind::ack_only;
  if (h.flags == 0x01) return h.length == 8192 ? frame_kind::congestion_map : frame_kind::bad_congestion_map;
  if (h.flags & 0x01) return frame_kind::ignored;
  if (portless) return frame_kind::ignored;
  if (h.destination_port == 0) return h.source_port == 1 ? frame_kind::probe : frame_kind::ping;
  if (h.source_port == 0) return h.destination_port == 1 ? frame_kind::probe_pong : frame_kind::pong;
  return frame_kind::data;
}

}  // namespace

TEST_CASE("every combination of special ports, flags, lengths and numbers has the kind that the rules give it") {
  std::set<frame_kind> seen;
  for (unsigned flags = 0; flags < 256; ++flags) {
    for (std::uint16_t const source : std::array<std::uint16_t, 5>{0, 1, 2, 4000, 65535}) {
      for (std::uint16_t const destination : std::array<std::uint16_t, 5>{0, 1, 2, 5000, 65535}) {
        for (std::uint32_t const length : {0u, 1u, 8191u, 8192u, 8193u, 0xffffffffu}) {
          for (std::uint64_t const sequence : {0ull, 1ull, ~0ull}) {
            for (bool const ack_frames : {false, true}) {
              header const h = make(source, destination, static_cast<std::uint8_t>(flags), length, sequence);
              frame_rules const rules{ack_frames};
              REQUIRE(classify(h, rules) == by_the_rules(h, rules));
              seen.insert(classify(h, rules));
            }
          }
        }
      }
    }
  }
  CHECK(seen.size() == 9);
}

TEST_CASE("frames as kernels send them") {
  frame_rules const kernel{};
  CHECK(classify(make(4000, 5000, 0, 5), kernel) == frame_kind::data);
  CHECK(classify(make(4000, 5000, flag::retransmitted | flag::ack_required, 5), kernel) == frame_kind::data);
  CHECK(classify(make(5000, 0), kernel) == frame_kind::ping);
  CHECK(classify(make(0, 5000), kernel) == frame_kind::pong);
  CHECK(classify(make(1, 0), kernel) == frame_kind::probe);
  CHECK(classify(make(0, 1), kernel) == frame_kind::probe_pong);
  CHECK(classify(make(0, 0, flag::congestion_bitmap, 8192, 0), kernel) == frame_kind::congestion_map);
}

TEST_CASE("a map of another length is consumed and changes nothing") {
  CHECK(classify(make(0, 0, 0x01, 8191, 0), {}) == frame_kind::bad_congestion_map);
  CHECK(classify(make(0, 0, 0x01, 0, 0), {}) == frame_kind::bad_congestion_map);
}

TEST_CASE("a map with surplus flags is ignored and its number is not looked at") {
  for (unsigned flags = 3; flags < 256; flags += 2) {
    auto const kind = classify(make(0, 0, static_cast<std::uint8_t>(flags), 8192, 4), {});
    CHECK(kind == frame_kind::ignored);
    CHECK_FALSE(is_numbered(kind));
  }
}

TEST_CASE("port 0 to port 0 is never data") {
  CHECK(classify(make(0, 0, 0, 0), {}) == frame_kind::ignored);
  CHECK(classify(make(0, 0, 0, 100), {}) == frame_kind::ignored);
  CHECK(classify(make(0, 0, 0, 100, 0), {true}) == frame_kind::ignored);
}

TEST_CASE("a heartbeat is ignored, also where ack-only frames are in use") {
  for (std::uint8_t const flags : {flag::heartbeat_ping, flag::heartbeat_pong}) {
    for (std::uint64_t const sequence : {0u, 7u}) {
      CHECK(classify(make(0, 0, flags, 0, sequence), {}) == frame_kind::ignored);
      CHECK(classify(make(0, 0, flags, 0, sequence), {true}) == frame_kind::ignored);
    }
  }
}

TEST_CASE("an ack-only frame exists only where both ends agreed on it") {
  CHECK(classify(make(0, 0, 0, 0, 0), {true}) == frame_kind::ack_only);
  CHECK(classify(make(0, 0, 0, 0, 0), {false}) == frame_kind::ignored);
  CHECK(classify(make(0, 0, 0, 0, 1), {true}) == frame_kind::ignored);
}

TEST_CASE("only kinds that a sender numbers are judged by number") {
  for (auto const kind : {frame_kind::data, frame_kind::ping, frame_kind::pong, frame_kind::probe, frame_kind::probe_pong}) {
    CHECK(is_numbered(kind));
  }
  for (auto const kind :
       {frame_kind::congestion_map, frame_kind::bad_congestion_map, frame_kind::ack_only, frame_kind::ignored}) {
    CHECK_FALSE(is_numbered(kind));
  }
}

TEST_CASE("each kind has a name of its own") {
  std::set<std::string_view> names;
  for (int kind = 0; kind <= static_cast<int>(frame_kind::ignored); ++kind) names.insert(to_string(static_cast<frame_kind>(kind)));
  CHECK(names.size() == 9);
}
