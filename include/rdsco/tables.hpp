// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/endpoint.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rdsco {

/// A row of `rds-info -k`.
struct socket_row {
  endpoint bound, connected;
  std::size_t send_buffer = 0, receive_buffer = 0;
  std::size_t unacknowledged_bytes = 0, unread_bytes = 0;
  std::uint64_t id = 0;  ///< stands where the kernel shows an inode
};

/// A row of `rds-info -n`. `flags` are the kernel's letters: s sending, c connecting, C connected, E error.
struct connection_row {
  address local, peer;
  std::uint8_t type_of_service = 0;
  std::string transport;
  std::uint64_t next_sent = 0, next_received = 0;
  std::string flags;
  std::uint64_t drops = 0;
  std::string acknowledged_by;  ///< frames (an rdsco peer), pongs (a kernel), transport (a kernel without pings), unknown
  std::string trouble;  ///< why there is no connection, or why the last one ended, as far as the transport can say; empty while it is up
};

/// A row of `rds-info -s`, `-t` or `-r`.
struct message_row {
  endpoint from, to;
  std::uint8_t type_of_service = 0;
  std::uint64_t sequence = 0;
  std::size_t bytes = 0;
};

/// A row of `rds-info -T`. User space has no TCP sequence numbers: the last three count stream bytes since the connection opened.
struct tcp_row {
  endpoint local, peer;
  std::uint64_t header_remaining = 0, data_remaining = 0;
  std::uint64_t sent = 0, expected_acknowledged = 0, acknowledged = 0;
};

/// What a node holds at this moment.
struct node_tables {
  std::vector<socket_row> sockets;
  std::vector<connection_row> connections;
  std::vector<message_row> send_queue, retransmit_queue, receive_queue;
  std::vector<tcp_row> tcp_sockets;
};

}  // namespace rdsco
