// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <string>

namespace rdsco::tools {

struct info_options {
  std::string socket;
  bool json = false;
  bool verbose = false;
  /// The tables asked for, by their letters; none: all.
  bool infiniband = false, tcp = false, counters = false, sockets = false, connections = false;
  bool received = false, sent = false, retransmit = false;

  info_options() = default;
  [[nodiscard]] bool all() const noexcept {
    return !(infiniband || tcp || counters || sockets || connections || received || sent || retransmit);
  }
};

[[nodiscard]] int run_info(info_options const& options);

}  // namespace rdsco::tools
