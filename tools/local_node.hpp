// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/loop.hpp>
#include <rdsco/node.hpp>
#include <rdsco/stats_server.hpp>

#include <string>

namespace rdsco::tools {

/// The address from which this host would reach `peer`, as routing has it.
/// Errors: throws failure.
[[nodiscard]] address source_towards(address const& peer);

/// Opens a node that owns `own` with that transport. Errors: throws failure, saying who may be in the way.
[[nodiscard]] node open_node(loop& where, address const& own, node_options options, std::string const& transport);
/// Binds a socket. Errors: throws failure.
[[nodiscard]] socket bind_socket(node& on, endpoint const& at, socket_options const& options);
/// The statistics of `on` at `path`; nothing where it is empty. Errors: throws failure.
[[nodiscard]] stats_server serve_stats(loop& where, node const& on, std::string const& path);

}  // namespace rdsco::tools
