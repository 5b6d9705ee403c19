// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/endpoint.hpp>

#include <cstdint>
#include <optional>
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

/// A row of `rds-info -I`, and what else there is to know of a connection over verbs, iWARP too. GIDs, port, service level, version and
/// credits are those of a connection that is up.
struct ib_row {
  address local, peer;
  std::uint8_t type_of_service = 0, service_level = 0;
  std::string local_gid, peer_gid;  ///< as the kernel writes them; empty over iWARP
  std::uint32_t sends = 0, receives = 0, elements = 0;  ///< in the rings, and pieces of memory in a request
  std::string transport, device;
  unsigned port = 0;
  int gid_index = -1;  ///< -1: none, or not known
  std::string gid_type;  ///< IB, RoCE v1, RoCE v2
  std::string note;  ///< the GID is another one than was to be expected
  std::string version;
  std::string stage;  ///< down, resolving the address, resolving the route, asking, accepting, up, ending
  bool connected_by_us = false;
  std::optional<std::uint32_t> credits, credits_to_tell;  ///< iWARP: receives of the peer that may be used; ours that it is not told of
  std::string trouble;  ///< as in the connection's row
  std::uint32_t vendor_error = 0;  ///< what the adapter's maker calls it; 0: nothing
};

/// Where an address that the node owns over verbs lies, and by which GID it is to be reached.
struct verbs_address_row {
  address at;
  std::string transport, device;
  unsigned port = 0;
  int gid_index = -1;
  std::string gid, gid_type;
  std::string why;  ///< why that GID, and which others there are; or why there is none
};

/// What a node holds at this moment.
struct node_tables {
  std::vector<socket_row> sockets;
  std::vector<connection_row> connections;
  std::vector<message_row> send_queue, retransmit_queue, receive_queue;
  std::vector<tcp_row> tcp_sockets;
  std::vector<ib_row> ib_connections;
  std::vector<verbs_address_row> verbs_addresses;
};

}  // namespace rdsco
