// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace rdsco::bench {

/// How a program looks for bytes that have not come yet.
enum class waiting { spin, block, adaptive };

/// Where one of the two processes of a measurement runs.
struct place {
  std::string address;
  int core = 0;
  std::string network;  ///< name of a network namespace, or empty
};

struct request {
  std::uint64_t count = 100'000;   ///< timed messages or round trips
  std::uint64_t warmup = 2'000;    ///< the same before them, not timed
  std::size_t bytes = 64;          ///< of payload
  unsigned outstanding = 1;        ///< requests, or senders, under way at once
  unsigned sockets = 1;            ///< of each side; connections where the peer has no other way
  waiting wait = waiting::spin;
  bool timed = true;               ///< of round trips: false where only instructions are counted
  std::chrono::nanoseconds silence{0};  ///< between two round trips the client computes for so long
  place client{"127.0.0.1", 0, ""};
  place server{"127.0.0.2", 1, ""};
  std::uint16_t port = 0;          ///< where nodes and other servers listen
  std::string transport = "tcp";   ///< of rdsco's nodes
  std::size_t region_bytes = 1u << 30;  ///< registered at once
  bool touched = false;            ///< the pages of that region are there before
  bool registration_thread = false;  ///< verbs_options::registration_thread
};

using figures = std::map<std::string, double>;

/// What a measurement prints: names say the unit.
using measure = figures (*)(request const&);

// In one process: a message goes to another coroutine and another one comes back.
figures loopback_in_turns(request const&);
figures loopback_stream(request const&);
figures channel_in_turns(request const&);
figures channel_stream(request const&);
figures asio_channel_in_turns(request const&);
figures asio_channel_stream(request const&);

// Two processes, one request at a time (rdsco: on `sockets` sockets in turn).
figures rdsco_round_trip(request const&);
figures raw_round_trip(request const&);
figures epoll_round_trip(request const&);
figures uring_round_trip(request const&);
figures asio_round_trip(request const&);
figures kernel_rds_round_trip(request const&);

// Two processes, one way.
figures rdsco_one_way(request const&);
figures raw_one_way(request const&);
figures epoll_one_way(request const&);
figures uring_one_way(request const&);
figures asio_one_way(request const&);
figures asio_coalesced_one_way(request const&);
figures kernel_rds_one_way(request const&);
figures rdsco_bulk(request const&);
figures rdsco_writes(request const&);

// Round trips with one peer while the client registers memory.
figures rdsco_registration(request const&);
figures raw_bulk(request const&);

// Two processes, many requests under way: on one stream, or one on each of many sockets.
figures rdsco_pipelined(request const&);
figures raw_pipelined(request const&);
figures rdsco_fan(request const&);
figures epoll_fan(request const&);

figures memory_of_sockets(request const&);
figures memory_of_connections(request const&);
figures asio_memory_of_connections(request const&);

}  // namespace rdsco::bench
