// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "kernel/flow_check.hpp"
#include "kernel/peer/driver.hpp"

#include <rdsco/node.hpp>

#include <nlohmann/json_fwd.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace rdsco::kernel_lab {

struct traffic_options {
  std::string command;
  endpoint local;
  endpoint peer;
  size_schedule sizes;
  std::uint64_t flow = 1;
  std::uint64_t first_index = 0;
  std::uint64_t first_expected = 0;
  std::uint64_t send_count = 0;
  std::uint64_t receive_count = 0;  // from each source; 0: until stopped, when `receiving`
  std::size_t sources = 1;
  std::size_t window = 0;  // sends go out in bursts of so many, awaited until acknowledged; 0: awaited until accepted
  bool sending = false;
  bool receiving = false;
  std::uint64_t progress_every = 0;
  socket_options buffers;
  std::chrono::milliseconds linger{200};  // after the last expected datagram, to catch repeated ones
};

/// Sends one flow and accounts for those that arrive, both on one socket.
class traffic {
 public:
  traffic(node& on, driver& commands, loop& where, traffic_options options);

  /// Errors: those of binding the socket.
  [[nodiscard]] std::error_code open();
  /// Completes when everything is sent and acknowledged, and received; or when stopped.
  [[nodiscard]] task<result<>> run();
  [[nodiscard]] nlohmann::json report() const;
  [[nodiscard]] bool complete() const;
  [[nodiscard]] endpoint local() const noexcept { return socket_.local(); }

 private:
  [[nodiscard]] task<> send_all();
  [[nodiscard]] task<> send_window();
  [[nodiscard]] task<> send_one(std::uint64_t index);
  [[nodiscard]] task<bool> send_accepted(std::uint64_t index);
  [[nodiscard]] task<std::error_code> send_scratch();
  [[nodiscard]] task<> receive_all();
  [[nodiscard]] task<> look_for_repeats();
  void take(message const& got);
  void acknowledged(std::uint64_t index);
  [[nodiscard]] bool all_received() const noexcept;

  node& node_;
  driver& commands_;
  loop& loop_;
  traffic_options options_;
  socket socket_;
  std::map<std::string, flow_log> flows_;
  std::vector<std::byte> scratch_;
  std::set<std::uint64_t> acknowledged_ahead_;  // above acknowledged_, if completions ever came out of order
  std::uint64_t sent_ = 0;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t received_ = 0;
  std::size_t unacknowledged_ = 0;
  std::uint64_t times_full_ = 0;
  std::uint64_t times_congested_ = 0;
  std::uint64_t lingered_ = 0;
  std::map<std::string, std::uint64_t> failures_;
};

}  // namespace rdsco::kernel_lab
