// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/buffer.hpp>
#include <rdsco/endpoint.hpp>
#include <rdsco/fwd.hpp>
#include <rdsco/remote_memory.hpp>
#include <rdsco/result.hpp>
#include <rdsco/task.hpp>

#include <cstddef>
#include <system_error>

namespace rdsco {

/// On what terms memory is offered.
struct offer_terms {
  access may = access::read_write;
  /// It is over with the first datagram of the peer that follows an operation on it.
  bool use_once = false;
  /// Once it is over the adapter refuses the peer at once. Without, where registrations are kept (docs/rdma.md), the peer could still reach
  /// that memory, and nobody else could, until they are flushed.
  bool invalidate = false;

  offer_terms() = default;
  offer_terms(access what) noexcept : may(what) {}
};

/// What one peer may do with a part of a region. Datagrams to that peer carry it: socket::send_to(payload, to, offer).
///
/// A datagram that is sent again after a reconnect carries it anew. Where keys die with their connection, an offer that the peer had
/// already received dies too: over() says so, and the program makes another.
/// Lifetime: its node outlives it, or is closed first. Destroyed, it is withdrawn, which nobody waits for but region::close().
class memory_offer {
 public:
  memory_offer() noexcept = default;  ///< nothing is offered
  memory_offer(memory_offer&& other) noexcept;
  memory_offer& operator=(memory_offer&& other) noexcept;
  ~memory_offer();

  [[nodiscard]] explicit operator bool() const noexcept { return core_ != nullptr; }
  /// It has not been used up, withdrawn or lost.
  [[nodiscard]] bool usable() const noexcept;
  [[nodiscard]] address peer() const noexcept;
  [[nodiscard]] std::size_t size() const noexcept;

  /// Completes when the offer is over: no error where a use-once offer was used, else why: withdrawn, stale_offer (the connection on which
  ///   the peer knew it broke), no_device, closed.
  /// Cancellation: canceled; the offer stands.
  [[nodiscard]] task<result<>> over();
  /// Completes when the peer cannot reach the memory by this offer any more: on the terms of offer_terms::invalidate.
  /// Cancellation: canceled; the withdrawal goes on.
  [[nodiscard]] task<result<>> withdraw();

 private:
  friend class region;
  friend class socket;
  explicit memory_offer(detail::offer_core* core) noexcept : core_(core) {}

  detail::offer_core* core_ = nullptr;
};

/// Memory of the program, registered: remote operations take their bytes from it or put them there, and parts of it can be offered to
/// peers. By itself it can be reached by nobody. Made by socket::register_memory(), for all sockets of that address.
///
/// Lifetime: the memory stays until close() completed. Destroyed earlier, it ends every connection whose adapter still uses it.
/// Threads: its node's.
class region {
 public:
  region() noexcept = default;  ///< no memory
  region(region&& other) noexcept;
  region& operator=(region&& other) noexcept;
  ~region();

  [[nodiscard]] explicit operator bool() const noexcept { return core_ != nullptr; }
  [[nodiscard]] std::size_t size() const noexcept;
  /// It is registered: neither closed nor lost with its adapter.
  [[nodiscard]] bool usable() const noexcept;
  [[nodiscard]] region_slice all() const noexcept { return slice(0, size()); }
  /// A part of it, which lies within it.
  [[nodiscard]] region_slice slice(std::size_t offset, std::size_t bytes) const noexcept;

  /// Offers a part of it to `peer`, and to nobody else.
  /// Completes when the offer can be sent.
  /// Errors: not_supported, not_registered, invalid_range (empty, or not within the region), peer_not_allowed, limit_reached,
  ///   out_of_memory, locked_memory_limit, closed.
  [[nodiscard]] task<result<memory_offer>> offer(address peer, std::size_t offset, std::size_t bytes, offer_terms terms = {});

  /// Withdraws its offers and completes when the memory is the program's alone: no operation uses it, and no adapter knows it.
  /// `forced`: ends the connections whose adapters still use it, instead of waiting for them.
  /// Cancellation: canceled; the region stays, its offers withdrawn.
  [[nodiscard]] task<result<>> close(bool forced = false);

 private:
  friend class socket;
  explicit region(detail::region_core* core) noexcept : core_(core) {}

  detail::region_core* core_ = nullptr;
};

}  // namespace rdsco
