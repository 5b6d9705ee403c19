// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "kernel/afrds/rds_socket.hpp"

#include <nlohmann/json_fwd.hpp>

/// How a test driver and the program talk: signals or a UDP datagram in, JSON lines on stdout out.
namespace rdsco::kernel_lab {

/// Writes one line and flushes it, so that a driver that waits for it sees it.
void say(nlohmann::json const& line);

/// "go" (SIGUSR1, or any UDP datagram to a port of the local address) and "stop" (SIGTERM, SIGINT), as file descriptors.
class driver_events {
 public:
  /// go_port 0: no UDP port.
  driver_events(socket_address const& local, std::uint16_t go_port);
  ~driver_events();
  driver_events(driver_events const&) = delete;
  driver_events& operator=(driver_events const&) = delete;

  [[nodiscard]] int signal_descriptor() const { return signals_; }
  [[nodiscard]] int go_descriptor() const { return go_socket_; }  // -1 without a port: poll ignores it
  [[nodiscard]] bool go() const { return go_; }
  [[nodiscard]] bool stopped() const { return stopped_; }

  /// Takes what has arrived; never blocks.
  void read();

 private:
  int signals_;
  int go_socket_ = -1;
  bool go_ = false;
  bool stopped_ = false;
};

}  // namespace rdsco::kernel_lab
