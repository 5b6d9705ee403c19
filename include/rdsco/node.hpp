// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/counters.hpp>
#include <rdsco/fwd.hpp>
#include <rdsco/node_options.hpp>
#include <rdsco/result.hpp>
#include <rdsco/socket.hpp>
#include <rdsco/tables.hpp>
#include <rdsco/task.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace rdsco {

/// An RDS node inside a program: addresses it owns, peers it may talk to, sockets, and one connection for each peer.
///
/// Closed by default: it binds the addresses it is told and no other, and talks to the peers on its allow-list only.
/// Threads: its loop's. Another thread reaches it by loop::post().
class node {
 public:
  /// Opens the node and listens. Nothing stays behind where it fails.
  /// Errors: address_in_use (another process, or the kernel's rds_tcp module, has the TCP port of an address),
  ///   address_not_owned (this host does not have the address), invalid_address, invalid_options (limits that cannot work).
  [[nodiscard]] static result<node> open(loop& where, node_options const& options);

  node() noexcept;  ///< no node
  node(node&&) noexcept;
  node& operator=(node&&) noexcept;
  /// A node is closed before: `co_await node.close()`. One that is not is closed here, running its loop, where that is possible.
  ~node();

  [[nodiscard]] explicit operator bool() const noexcept { return core_ != nullptr; }

  /// A socket at one of the node's addresses. Port 0 picks a free one from 2 up.
  /// Errors: address_not_owned, address_in_use, invalid_port (1 and the highest sixteen, which the node itself uses),
  ///   limit_reached, closed.
  [[nodiscard]] result<socket> bind(address const& at, std::uint16_t port = 0, socket_options const& options = {});
  [[nodiscard]] result<socket> bind(endpoint const& at, socket_options const& options = {}) { return bind(at.host, at.port, options); }

  /// The name of the transport that carries an address of the node; empty where the node does not own it.
  [[nodiscard]] std::string_view transport_of(address const& at) const noexcept;

  /// Round-trip time to the RDS layer of `peer`.
  /// Completes with the answer. Cancellation: canceled; wrap it in with_timeout() to bound it.
  [[nodiscard]] task<result<std::chrono::nanoseconds>> ping(address from, address peer);

  /// Waits for acknowledgements for at most `patience`, then closes every socket and connection and leaves nothing:
  /// no descriptor, frame or byte but what lent messages still hold. The value is how many datagrams were taken back.
  /// close(0ns) closes at once, as the destructor does.
  [[nodiscard]] task<std::size_t> close(std::chrono::nanoseconds patience = std::chrono::seconds(5));

  [[nodiscard]] rdsco::counters const& counters() const noexcept;
  [[nodiscard]] node_tables tables() const;
  /// Counters and tables, as JSON.
  [[nodiscard]] std::string to_json() const;
  /// Every send number used so far is below it; node_options::sequence_mark.
  [[nodiscard]] std::uint64_t sequence_mark() const noexcept;
  /// Bytes of datagrams that the node holds: queued, unacknowledged, unread, lent.
  [[nodiscard]] std::size_t memory_in_use() const noexcept;

  [[nodiscard]] detail::node_core& core() const noexcept { return *core_; }

 private:
  explicit node(std::unique_ptr<detail::node_core> core) noexcept;

  std::unique_ptr<detail::node_core> core_;
};

}  // namespace rdsco
