// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "memory/block_pool.hpp"
#include "node/connection.hpp"
#include "node/event.hpp"
#include "node/local_host.hpp"
#include "node/region_core.hpp"
#include "node/socket_core.hpp"

#include <rdsco/counters.hpp>
#include <rdsco/node_options.hpp>
#include <rdsco/result.hpp>
#include <rdsco/tables.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace rdsco::detail {

/// What a node is made of: its hosts, its connections, its transports, and what they share.
class node_core {
 public:
  node_core(loop& where, node_options const& options);
  ~node_core();
  node_core(node_core const&) = delete;
  node_core& operator=(node_core const&) = delete;

  /// Opens transports and addresses, all or none.
  [[nodiscard]] std::error_code open();
  [[nodiscard]] task<std::size_t> close(std::chrono::nanoseconds patience);

  [[nodiscard]] result<socket_core*> bind(address const& at, std::uint16_t port, socket_options const& options);
  void unbind(socket_core& socket, local_host& host) noexcept;

  [[nodiscard]] local_host* host(address const& at) noexcept;
  /// The connection to a peer, made when there is none.
  /// Errors: peer_not_allowed, limit_reached, out_of_memory.
  [[nodiscard]] result<connection*> connect_to(local_host& host, address const& peer, std::uint8_t type_of_service) noexcept;
  [[nodiscard]] connection* find(connection_key const& key) noexcept;
  /// Who carries traffic between an address of the node and a peer, which may be another one.
  [[nodiscard]] transport& between(local_host& host, address const& peer) noexcept;
  /// A port of this host became congested or free.
  void congestion_changed(local_host& host) noexcept;
  /// A socket closed: whoever of its senders waits for a port finds out.
  void wake_port_waiters() noexcept;
  template <class F>
  void for_each_connection(F each) {
    for (auto& entry : connections_) each(*entry.second);
  }

  /// Memory was registered: what is still registered when the node closes is let go of then.
  void keep(region_core& registered) noexcept { regions_.push_back(registered); }
  template <class F>
  void for_each_region(F each) {
    for (auto at = regions_.begin(); at != regions_.end();) each(*at++);
  }

  [[nodiscard]] bool open_for_business() const noexcept { return open_; }
  /// Above so many bytes nothing is read from peers: what one read of tiny messages brings must still find room.
  [[nodiscard]] std::size_t memory_for_reading() const noexcept {
    std::size_t const limit = options.limits.memory_bytes;
    return limit - std::min(one_read_bytes, limit / 2);
  }
  /// Above so many bytes no send is taken. What is queued must not keep the acknowledgements that retire it from being
  /// read, nor take the memory that links need to send it.
  [[nodiscard]] std::size_t memory_for_sending() const noexcept { return memory_for_reading() / 2; }
  /// What one peer's unread datagrams may hold of it, over all sockets: so much and what one read brings beyond.
  [[nodiscard]] std::size_t memory_share_of_peer() const noexcept { return memory_for_reading() / 4; }
  [[nodiscard]] node_tables tables();
  [[nodiscard]] std::string to_json();
  [[nodiscard]] std::uint64_t sequence_mark() const noexcept;
  [[nodiscard]] std::uint64_t next_socket_id() noexcept { return ++last_socket_id_; }
  [[nodiscard]] std::uint32_t next_epoch() noexcept { return ++last_epoch_; }

  loop& where;
  node_options const options;
  counters counted;
  block_pool* const pool;
  /// Tells this life of the node from any other; never 0.
  std::uint32_t const generation;

 private:
  static constexpr std::size_t one_read_bytes = 4u << 20;
  [[nodiscard]] transport& transport_for(node_options::owned_address const& own);
  [[nodiscard]] result<connection*> make_connection(local_host& host, connection_key const& key, transport& by);
  [[nodiscard]] std::uint16_t free_port(local_host const& host) noexcept;
  void close_sockets() noexcept;
  void close_regions() noexcept;
  [[nodiscard]] std::size_t unacknowledged() noexcept;
  [[nodiscard]] task<> wait_for_acknowledgements(std::chrono::nanoseconds patience);

  std::vector<std::unique_ptr<transport>> transports_;
  transport* local_ = nullptr;  // carries traffic between the node's own addresses, where no adapter does
  std::vector<std::unique_ptr<local_host>> hosts_;
  std::unordered_map<connection_key, std::unique_ptr<connection>, connection_key_hash> connections_;
  intrusive_list<socket_core, by_node> living_;  // a closed one lives on while messages of it are lent
  intrusive_list<region_core, by_node> regions_;
  std::uint64_t const first_sequence_;
  std::size_t sockets_ = 0;
  std::uint64_t last_socket_id_ = 0;
  std::uint32_t last_epoch_ = 0;
  bool open_ = false;
  bool closing_ = false;
  event closed_;  // the closing has ended
};

}  // namespace rdsco::detail
