// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "kernel/afrds/events.hpp"
#include "kernel/afrds/rds_socket.hpp"
#include "kernel/flow_check.hpp"

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace rdsco::kernel_lab {

struct traffic_options {
  std::string command;
  std::string local_host;
  std::uint16_t local_port = 0;
  std::string peer_host;
  std::uint16_t peer_port = 0;
  size_schedule sizes;
  std::uint64_t flow = 1;
  std::uint64_t first_index = 0;
  std::uint64_t send_count = 0;
  std::uint64_t receive_count = 0;  // from each source; 0: until stopped, when `receiving`
  std::size_t sources = 1;
  bool sending = false;
  bool receiving = false;
  bool blocking = false;
  bool leaving = false;  // end once everything is sent: closing the socket takes back what the peer has not acknowledged
  bool wait_to_send = false;     // until the driver says go
  bool wait_to_receive = false;  // until the driver says go
  std::uint16_t go_port = 0;
  std::uint64_t progress_every = 0;
  int send_buffer = 4 << 20;
  int receive_buffer = 4 << 20;
  std::chrono::milliseconds timeout{240000};
  std::chrono::milliseconds linger{200};  // after the last expected datagram, to catch repeated ones
};

/// Sends one flow and accounts for those that arrive, both on one socket.
class traffic {
 public:
  explicit traffic(traffic_options options);

  /// Runs to the end and reports; the exit status of the program.
  int run();

 private:
  using clock = std::chrono::steady_clock;

  bool work_left();
  void wait();
  void send_some();
  void receive_some();
  void take(std::span<std::byte const> datagram, std::string const& source);
  [[nodiscard]] bool may_send() const;
  [[nodiscard]] bool may_receive() const;
  [[nodiscard]] bool all_received() const;
  [[nodiscard]] std::string status() const;
  int report();

  traffic_options options_;
  rds_socket socket_;
  driver_events events_;
  socket_address peer_;
  std::vector<std::byte> outgoing_;
  std::vector<std::byte> incoming_;
  std::map<std::string, flow_log> flows_;
  clock::time_point deadline_;
  clock::time_point last_arrival_;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t times_full_ = 0;
  std::uint64_t times_congested_ = 0;
  std::uint64_t congestion_updates_ = 0;
  std::size_t unacknowledged_ = 0;
  bool congested_ = false;
};

}  // namespace rdsco::kernel_lab
