// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>

namespace rdsco::protocol {

inline constexpr std::size_t header_bytes = 48;
inline constexpr std::size_t extension_bytes = 16;

// rds(7): sendmsg refuses more than 1 MiB. Kernel receivers enforce nothing; rdsco does.
inline constexpr std::uint32_t max_message_bytes = 1024 * 1024;

// One bit for each of the 65536 ports.
inline constexpr std::uint32_t congestion_map_bytes = 8192;

inline constexpr std::uint16_t tcp_port = 16385;

// Over verbs each SEND carries the header and at most one fragment of this size.
inline constexpr std::uint32_t fragment_bytes = 4096;

// Port 0 is the target of a ping and the source of a pong; port 1 belongs to the multipath probe. Neither can be bound.
inline constexpr std::uint16_t ping_port = 0;
inline constexpr std::uint16_t probe_port = 1;
inline constexpr std::uint16_t first_bindable_port = 2;

inline constexpr std::uint16_t max_paths = 8;

// How much a sender lets pass unacknowledged before it asks for an acknowledgement (net.rds.max_unacked_*).
inline constexpr std::uint32_t max_unacked_messages = 8;
inline constexpr std::uint32_t max_unacked_bytes = 16 * 1024 * 1024;

}  // namespace rdsco::protocol
