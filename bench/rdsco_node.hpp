// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "measurement.hpp"
#include "partner.hpp"

#include <rdsco/rdsco.hpp>

#include <cstdint>
#include <functional>
#include <string>

namespace rdsco::bench {

/// The port of the first server socket; the others follow.
inline constexpr std::uint16_t first_port = 5000;

[[nodiscard]] address address_of(std::string const& text);
[[nodiscard]] loop_options options_for(waiting how);
/// A node at one place that may talk to every host. It has room for `peers` connections.
[[nodiscard]] node open_node(loop& where, place const& at, request const& asked, std::size_t peers = 16);
[[nodiscard]] socket bind_socket(node& on, place const& at, std::uint16_t port, std::size_t buffers = 2u << 20);
[[nodiscard]] inline endpoint server_of(request const& asked, unsigned index = 0) {
  return endpoint(address_of(asked.server.address), static_cast<std::uint16_t>(first_port + index));
}

/// The server of a measurement, with one socket, for as long as `serves` takes.
figures serve_at_one_socket(request const& asked, partner::announce const& ready, std::function<task<>(socket&)> const& serves);

/// Waits for acknowledgements, then closes the node.
void finish(loop& where, node& on);
/// One datagram there, acknowledged: the connection is up and each side knows what the other is.
task<> connect(socket& from, endpoint to);

}  // namespace rdsco::bench
