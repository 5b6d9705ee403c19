// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/buffer.hpp>
#include <rdsco/error.hpp>
#include <rdsco/fwd.hpp>
#include <rdsco/result.hpp>
#include <rdsco/tables.hpp>
#include <rdsco/task.hpp>

#include <memory>
#include <string_view>
#include <system_error>

namespace rdsco::detail {

/// What carries one path. Between a path and its carrier there is one virtual call a batch, never one a datagram.
class carrier {
 public:
  carrier() = default;
  carrier(carrier const&) = delete;
  carrier& operator=(carrier const&) = delete;
  virtual ~carrier() = default;

  /// The path's send queue is no longer empty.
  virtual void work_queued() noexcept = 0;
  /// path::map_due was set: the peer is to be told which of our ports are congested.
  virtual void map_changed() noexcept = 0;
  /// The peer's unread bytes fell below the limit: its messages may be taken again.
  virtual void reading_allowed() noexcept = 0;
  /// Drops the connection; the path connects again.
  virtual void break_off() noexcept = 0;
  /// The node closes: end as soon as what runs can be ended.
  virtual void stop() noexcept = 0;
  /// Why there is no connection, or why the last one ended. Nothing while it is up, or where the carrier cannot say.
  [[nodiscard]] virtual std::error_code trouble() const noexcept { return {}; }

  // --- remote memory; only where the transport has any -------------------------------------------------------------
  /// An offer to this peer is to be made: takes what it needs.
  [[nodiscard]] virtual errc open_offer(offer_core&) noexcept { return errc::not_supported; }
  /// It is over: sees to it that the peer cannot reach the memory, and then calls offer_core::gone(), at once or later.
  virtual void close_offer(offer_core& over) noexcept;
  /// Whether this can be carried out here and now.
  [[nodiscard]] virtual errc check_work(remote_work const&) noexcept { return errc::not_supported; }
  /// Nothing of the region may be in use when this returns, whatever becomes of the connection.
  virtual void let_go_of(region_core&) noexcept {}

  /// Adds what only the carrier knows to the tables.
  virtual void describe(tcp_row&) const {}
  [[nodiscard]] virtual bool has_row() const noexcept { return false; }
  virtual void describe_ib(ib_row&) const {}
  [[nodiscard]] virtual bool has_ib_row() const noexcept { return false; }
};

/// One kind of transport within one node: it owns what it made, listeners included.
class transport {
 public:
  transport() = default;
  transport(transport const&) = delete;
  transport& operator=(transport const&) = delete;
  virtual ~transport() = default;

  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  /// The node owns this address: takes what peers will connect to. Nothing is under way yet.
  [[nodiscard]] virtual std::error_code open(local_host&) = 0;
  /// Every address is open: peers are let in from now on.
  virtual void start() = 0;
  [[nodiscard]] virtual std::unique_ptr<carrier> carry(connection&) = 0;
  /// Registers memory for operations to and from an address of the node. Not registered: not_supported.
  [[nodiscard]] virtual task<result<region_core*>> register_memory(local_host&, mutable_buffer memory);
  /// A port of this host became congested or free: tell the peers.
  virtual void congestion_changed(local_host&) noexcept = 0;
  /// Adds what only the transport knows of an address to the tables.
  virtual void describe(local_host const&, verbs_address_row&) {}
  [[nodiscard]] virtual bool has_address_rows() const noexcept { return false; }
  /// Ends listeners and carriers. Completes when nothing of the transport is in flight.
  [[nodiscard]] virtual task<> close() = 0;
};

}  // namespace rdsco::detail
