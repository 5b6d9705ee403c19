// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/endpoint.hpp>
#include <rdsco/node_options.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rdsco::tools {

struct stress_options {
  std::optional<address> own;
  std::optional<address> peer;  ///< the passive end; set: this end is the active one
  std::uint16_t control_port = 4000;
  std::size_t request_bytes = 1024, acknowledgement_bytes = 63;
  std::size_t rdma_bytes = 0;
  std::uint32_t rdma_vector = 1;
  unsigned rdma_mode = 0;
  std::uint32_t depth = 1;
  std::uint16_t tasks = 1;
  std::uint32_t seconds = 0;
  unsigned type_of_service = 0;
  bool simplex = false, summary_only = false, json = false, verify = true, old_protocol = false;
  std::uint16_t tcp_port = 16385;
  std::string transport = "tcp";
  std::vector<subnet> allowed;
  unsigned connect_retries = 5;
  std::chrono::nanoseconds patience{std::chrono::seconds(30)};
  std::string stats_path;

  stress_options() = default;
};

/// Exit status 0 only when not one fault was found, here and, where the other end is an rdsco too, there.
[[nodiscard]] int run_stress(stress_options const& options);

}  // namespace rdsco::tools
