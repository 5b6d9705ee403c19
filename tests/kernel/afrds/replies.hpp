// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "kernel/afrds/traffic.hpp"

namespace rdsco::kernel_lab {

/// Sends `send_count` pings (empty datagrams to port 0), each after the answer to the one before; reports and returns the exit status.
int run_ping(traffic_options const& options);

/// Returns every datagram to its sender until stopped, or until `receive_count` were returned; reports and returns the exit status.
int run_echo(traffic_options const& options);

}  // namespace rdsco::kernel_lab
