// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "account.hpp"

#include <rdsco/node.hpp>
#include <rdsco/task.hpp>

#include <chrono>
#include <vector>

namespace demo {

inline constexpr unsigned server_sockets = 8;
inline constexpr unsigned client_sockets = 24;
inline constexpr std::uint16_t first_server_port = 5000;
inline constexpr std::uint16_t stop_port = 4999;

/// Sends every datagram back until the socket is closed or the coroutine is stopped.
rdsco::task<> echo(rdsco::socket& at);

/// How long to exchange datagrams, and how long an echo may take: after that it is lost.
struct plan {
  std::chrono::milliseconds length, patience;
};

/// Many sockets at `own`, each exchanging datagrams of mixed sizes with a socket of every server.
/// Completes with what came of them, when all echoes have come or were given up.
rdsco::task<totals> exchange(rdsco::node& on, rdsco::address own, std::vector<rdsco::address> servers, plan times,
                             char const* title);

}  // namespace demo
