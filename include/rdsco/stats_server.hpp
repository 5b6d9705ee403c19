// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/fwd.hpp>
#include <rdsco/result.hpp>
#include <rdsco/task.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

namespace rdsco {

struct stats_server_options {
  std::size_t clients = 8;  ///< served at once; further ones wait in the backlog of the socket
  /// A client that neither asks nor reads for so long is let go.
  std::chrono::nanoseconds idle{std::chrono::seconds(10)};

  stats_server_options() = default;
};

namespace detail {
class stats_server_core;
}

/// Serves a node's counters and tables on a local socket: for each line "tables" that a client writes it answers
/// node::to_json() and a line end. `rdsco info` is such a client.
///
/// Only the user that the program runs as (and root) may connect: the socket's mode is 0700, and the kernel is asked
/// who the client is. A client costs one answer's memory at most; a line of it, 64 bytes.
/// Lifetime: loop and node outlive it.
/// Threads: the loop's; it has none of its own.
class stats_server {
 public:
  /// Listens at `path` of the file system. A socket file that nobody listens at any more is replaced; anything else that
  /// stands there is left alone.
  /// Errors: address_in_use (somebody listens there, or it is not a socket), invalid_address (empty, or too long for a
  ///   local socket: 107 bytes), not_supported (the loop's backend has no descriptors), else the system's own.
  [[nodiscard]] static result<stats_server> open(loop& where, node const& of, std::string const& path,
                                                 stats_server_options const& options = {});

  stats_server() noexcept;  ///< serves nothing
  stats_server(stats_server&&) noexcept;
  stats_server& operator=(stats_server&&) noexcept;
  /// It is closed before: `co_await server.close()`. One that is not is closed here, running its loop.
  ~stats_server();

  [[nodiscard]] explicit operator bool() const noexcept { return core_ != nullptr; }

  /// Hangs up on every client, removes the socket file, and leaves nothing.
  /// Completes when all that is done. Cancellation: none, it does not wait for anybody.
  [[nodiscard]] task<> close();

 private:
  explicit stats_server(std::unique_ptr<detail::stats_server_core> core) noexcept;

  std::unique_ptr<detail::stats_server_core> core_;
};

}  // namespace rdsco
