// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>

namespace rdsco {

/// What a socket is opened with. Both buffers count payload bytes only, as the kernel does.
struct socket_options {
  /// A send is accepted while fewer bytes than this are unacknowledged; it also bounds one datagram.
  std::size_t send_buffer = 2u << 20;
  /// Above this many unread bytes senders are told that the port is congested; below half of it, that it is free again.
  std::size_t receive_buffer = 2u << 20;
  /// Part of the connection's key. Transports without it (TCP, loopback) carry every value on one connection.
  std::uint8_t type_of_service = 0;

  socket_options() = default;
};

}  // namespace rdsco
