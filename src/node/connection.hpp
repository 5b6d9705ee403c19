// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "node/carrier.hpp"
#include "node/offer_core.hpp"
#include "node/path.hpp"
#include "protocol/congestion_map.hpp"

#include <rdsco/detail/send_waiter.hpp>
#include <rdsco/endpoint.hpp>

#include <compare>
#include <cstdint>
#include <functional>
#include <memory>

namespace rdsco::detail {

/// What tells one connection from another. The scope of a link-local address is part of the address.
struct connection_key {
  address local, peer;
  std::uint8_t type_of_service = 0;

  friend auto operator<=>(connection_key const&, connection_key const&) noexcept = default;
};

struct connection_key_hash {
  std::size_t operator()(connection_key const& key) const noexcept {
    std::hash<address> const hash;
    return (hash(key.local) * 31 + hash(key.peer)) * 31 + key.type_of_service;
  }
};

/// An ordered pair of hosts: its path, and what the peer says about its ports.
class connection {
 public:
  connection(node_core& node, local_host& host, connection_key const& key, std::uint64_t first_sequence) noexcept;

  [[nodiscard]] bool congested(std::uint16_t port) const noexcept { return peer_map_ != nullptr && peer_map_->test(port); }
  /// A sender waits until this port of the peer is free.
  void wait_for_port(send_waiter& waiter) noexcept { port_waiters_.push_back(waiter); }
  /// The peer sent a whole map.
  void load_peer_map(protocol::congestion_map::wire_bytes from) noexcept;
  /// The peer is in this process: its own map is looked at, wherever it lives.
  void share_peer_map(protocol::congestion_map const* map) noexcept { peer_map_ = map; }
  /// Ports of the peer may have become free: every waiter looks again, and those for other ports go on waiting.
  void wake_port_waiters() noexcept;

  /// A datagram of this peer came into a socket, or left it for good.
  void hold_unread(datagram const& one) noexcept;
  void release_unread(datagram const& one) noexcept;
  /// It is charged to the peer, because its socket is over its cap, or no longer.
  void charge_overdraft(datagram const& one) noexcept;
  void settle_overdraft(datagram const& one) noexcept;
  /// What the peer sends may be taken. Its acknowledgements come in the same stream, and a reader may wait for one of them before it
  /// reads on: while any is due, only the peer's share of the node's memory stops reading.
  [[nodiscard]] bool may_read() const noexcept { return !over_share_ && (!overdrawn_ || lane.awaits_acknowledgement()); }
  /// The path has begun to wait for an acknowledgement.
  void acknowledgement_awaited() noexcept {
    if (overdrawn_ && !over_share_) by->reading_allowed();
  }

  /// A datagram of the peer follows an operation on memory that was offered to it by this key: what is good for once is over.
  void offer_used(std::uint32_t remote_key) noexcept;

  node_core& node;
  local_host& host;
  connection_key const key;
  path lane;
  std::unique_ptr<carrier> by;
  offers_of_connection offers;  ///< of the node's memory, to the peer

 private:
  std::unique_ptr<protocol::congestion_map> own_peer_map_;  // made when a port is first marked
  protocol::congestion_map const* peer_map_ = nullptr;
  send_waiter_list port_waiters_;
  std::size_t unread_bytes_ = 0;  // in all sockets, queued and lent
  std::size_t overdraft_bytes_ = 0;
  bool over_share_ = false;
  bool overdrawn_ = false;
};

}  // namespace rdsco::detail
