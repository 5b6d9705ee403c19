// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/buffer.hpp>
#include <rdsco/detail/remote_work.hpp>
#include <rdsco/detail/send_waiter.hpp>
#include <rdsco/endpoint.hpp>
#include <rdsco/error.hpp>
#include <rdsco/fwd.hpp>

namespace rdsco::detail {

/// A send that completes with its acknowledgement: the datagram knows it, and it knows the datagram. The payload stays in
/// the caller's memory as long as both live.
class acknowledged_send {
 public:
  void (*ended)(acknowledged_send&, errc) noexcept = nullptr;
  datagram* sent = nullptr;

 protected:
  acknowledged_send() noexcept = default;
  ~acknowledged_send() = default;
};

/// The part of a send that does not depend on who awaits it.
class send_state : public send_waiter, public acknowledged_send {
 public:
  send_state(socket_core* from, const_buffers const& payload, endpoint const& to, bool acknowledged) noexcept;

  /// One attempt. True: finished, `outcome` says how. False: it waits on a list, or for the acknowledgement.
  bool attempt() noexcept;
  /// The awaiting task was stopped: leaves its list, or takes the datagram back.
  void abandon() noexcept;

  errc outcome{};
  /// Called when a send that waited has finished.
  void (*finished)(send_state&) noexcept = nullptr;

 protected:
  [[nodiscard]] socket_core* from() const noexcept { return from_; }
  accompaniment const* along = nullptr;  // nothing, mostly

 private:
  static void retry_send(send_waiter& self) noexcept;
  static void acknowledgement(acknowledged_send& self, errc why) noexcept;
  bool finish(errc why) noexcept;

  socket_core* from_;
  const_buffers payload_;
  endpoint to_;
  bool acknowledged_;
  bool attempting_ = false;
  bool blocked_ = false;  // it has waited for the port
};

/// A send whose datagram carries an offer.
class offering_state : public send_state {
 public:
  offering_state(socket_core* from, const_buffers const& payload, endpoint const& to, bool acknowledged, offer_core* offered) noexcept
      : send_state(from, payload, to, acknowledged) {
    offering_.offered = offered;
    along = &offering_;
  }

 private:
  accompaniment offering_;
};

/// Waits until a send of some size could be accepted, without sending.
class writable_state : public send_waiter {
 public:
  writable_state(socket_core* from, endpoint const& to) noexcept;
  bool attempt() noexcept;

  errc outcome{};
  void (*finished)(writable_state&) noexcept = nullptr;

 private:
  static void retry_probe(send_waiter& self) noexcept;

  socket_core* from_;
  endpoint to_;
};

/// Waits until nothing that the socket has sent is unacknowledged.
class drain_state : public send_waiter {
 public:
  explicit drain_state(socket_core* of) noexcept;
  bool attempt() noexcept;

  errc outcome{};
  void (*finished)(drain_state&) noexcept = nullptr;

 private:
  static void retry_drain(send_waiter& self) noexcept;

  socket_core* of_;
};

[[nodiscard]] loop& loop_of(socket_core const& socket) noexcept;

}  // namespace rdsco::detail
