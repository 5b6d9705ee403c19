// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "measurement.hpp"

#include <rdsco/rdsco.hpp>

#include <cstdint>
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

/// Waits for acknowledgements, then closes the node.
void finish(loop& where, node& on);
/// One datagram there, acknowledged: the connection is up and each side knows what the other is.
task<> connect(socket& from, endpoint to);

/// Counters of a loop between two moments, for each of `messages`.
class loop_usage {
 public:
  explicit loop_usage(loop& of) noexcept : of_(of) {}
  void start() noexcept {
    turns_ = of_.counters().turns;
    waits_ = of_.io().counters().waits;
  }
  void add_to(figures& found, std::string const& prefix, std::uint64_t messages) const;

 private:
  loop& of_;
  std::uint64_t turns_ = 0;
  std::uint64_t waits_ = 0;  // of its backend: what really called the kernel
};

}  // namespace rdsco::bench
