// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace rdsco::tools {

struct ping_options {
  std::string peer;                   ///< address or name
  std::optional<std::string> source;  ///< the same
  std::uint64_t count = 0;  ///< 0: until interrupted
  std::chrono::nanoseconds wait{std::chrono::seconds(1)};
  std::chrono::nanoseconds patience{std::chrono::seconds(5)};  ///< what is not answered within it counts as lost
  unsigned type_of_service = 0;
  std::uint16_t tcp_port = 16385;
  std::string transport = "tcp";

  ping_options() = default;
};

/// Exit status 0 when at least one answer came.
[[nodiscard]] int run_ping(ping_options const& options);

}  // namespace rdsco::tools
