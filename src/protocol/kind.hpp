// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <string_view>

#include "protocol/header.hpp"

namespace rdsco::protocol {

enum class frame_kind : std::uint8_t {
  data,                // for the socket bound to the destination port
  pong,                // the answer to a ping of the socket bound to the destination port
  ping,                // answer it; its payload means nothing
  probe,               // a ping from port 1: the multipath handshake
  probe_pong,          // its answer
  congestion_map,      // no number, not acknowledged
  bad_congestion_map,  // of a wrong length: consume its payload, change nothing
  ack_only,            // no number, no payload: only header::ack and header::credit count
  ignored,             // consume its payload, leave the sequence alone
};

/// What the two ends of a connection agreed on: verbs connections always have ack-only frames, TCP ones only between two
/// rdsco nodes that both announced node_feature::ack_frames.
struct frame_rules {
  bool ack_frames = false;
};

/// Whether a frame of this kind has a number that receive_sequence must judge.
constexpr bool is_numbered(frame_kind kind) noexcept {
  return kind <= frame_kind::probe_pong;
}

namespace detail {

constexpr frame_kind classify_unnumbered(header const& h, frame_rules rules) noexcept {
  bool const portless = h.source_port == 0 && h.destination_port == 0;
  constexpr std::uint8_t heartbeat = flag::heartbeat_ping | flag::heartbeat_pong;
  if (rules.ack_frames && portless && h.length == 0 && h.sequence == 0 && (h.flags & heartbeat) == 0) {
    return frame_kind::ack_only;
  }
  if (h.flags == flag::congestion_bitmap) {
    return h.length == congestion_map_bytes ? frame_kind::congestion_map : frame_kind::bad_congestion_map;
  }
  // Kernels take the number of a map with surplus flags, of a heartbeat and of anything from port 0 to port 0, and let it move
  // their expectation. None of it is ever delivered, so here it changes nothing.
  return frame_kind::ignored;
}

constexpr frame_kind classify_by_special_port(header const& h) noexcept {
  if (h.destination_port == ping_port) {
    return h.source_port == probe_port ? frame_kind::probe : frame_kind::ping;
  }
  return h.destination_port == probe_port ? frame_kind::probe_pong : frame_kind::pong;
}

}  // namespace detail

/// What a receiver does with a frame. Flags without a meaning here are ignored, with one exception that kernels make too: a
/// congestion map has no flag but its own.
constexpr frame_kind classify(header const& h, frame_rules rules) noexcept {
  if (h.source_port != 0 && h.destination_port != 0 && (h.flags & flag::congestion_bitmap) == 0) [[likely]] {
    return frame_kind::data;
  }
  if ((h.source_port == 0 && h.destination_port == 0) || (h.flags & flag::congestion_bitmap) != 0) {
    return detail::classify_unnumbered(h, rules);
  }
  return detail::classify_by_special_port(h);
}

constexpr std::string_view to_string(frame_kind kind) noexcept {
  switch (kind) {
    case frame_kind::data: return "data";
    case frame_kind::pong: return "pong";
    case frame_kind::ping: return "ping";
    case frame_kind::probe: return "probe";
    case frame_kind::probe_pong: return "probe pong";
    case frame_kind::congestion_map: return "congestion map";
    case frame_kind::bad_congestion_map: return "congestion map of a wrong length";
    case frame_kind::ack_only: return "ack only";
    case frame_kind::ignored: return "ignored";
  }
  return "unknown";
}

}  // namespace rdsco::protocol
