// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/buffer.hpp>
#include <rdsco/detail/leaf_operation.hpp>
#include <rdsco/detail/receive_waiter.hpp>
#include <rdsco/detail/send_state.hpp>
#include <rdsco/endpoint.hpp>
#include <rdsco/message.hpp>
#include <rdsco/region.hpp>
#include <rdsco/remote_awaiter.hpp>
#include <rdsco/result.hpp>
#include <rdsco/socket_options.hpp>
#include <rdsco/task.hpp>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <span>

namespace rdsco {

/// What an awaited send waits for.
enum class until : std::uint8_t {
  accepted,     ///< the node has a copy and keeps trying until the peer's RDS layer has it
  acknowledged  ///< the peer's RDS layer has it; it is sent from the caller's memory
};

/// An operation on a send-side state: common to sending, to waiting for writability and to draining.
template <class State>
class socket_awaiter : public detail::leaf_operation<socket_awaiter<State>>, private State {
 public:
  template <class... Arguments>
  explicit socket_awaiter(detail::socket_core* of, Arguments const&... arguments) noexcept
      : State(of, arguments...), of_(of) {
    this->finished = [](auto& self) noexcept { static_cast<socket_awaiter&>(self).complete(); };
  }

  bool await_ready() noexcept { return State::attempt(); }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> waiting) noexcept {
    if (this->suspend_in(waiting, detail::loop_of(*of_))) return true;
    give_up();
    return false;
  }
  result<> await_resume() noexcept {
    if (State::outcome == errc()) [[likely]] return {};
    return State::outcome;
  }

 private:
  friend detail::leaf_operation<socket_awaiter>;
  void on_stop() noexcept {
    give_up();
    this->complete();
  }
  void give_up() noexcept {
    if constexpr (requires(State& state) { state.abandon(); }) {
      State::abandon();
    } else {
      static_cast<detail::send_waiter&>(*this).unlink();
      State::outcome = errc::canceled;
    }
  }

  detail::socket_core* of_;
};

using send_awaiter = socket_awaiter<detail::send_state>;
using offering_awaiter = socket_awaiter<detail::offering_state>;
using writable_awaiter = socket_awaiter<detail::writable_state>;
using drain_awaiter = socket_awaiter<detail::drain_state>;

/// Common to both ways of receiving: waits for a claim on a datagram.
class receive_wait : public detail::leaf_operation<receive_wait>, private detail::receive_waiter {
 public:
  bool await_ready() noexcept;
  template <class P>
  bool await_suspend(std::coroutine_handle<P> waiting) noexcept {
    stop_ = detail::environment_of(waiting).stop;
    if (!this->suspend_in(waiting, detail::loop_of(*socket_))) return outcome_ = errc::canceled, false;
    enlist();
    return true;
  }

 protected:
  explicit receive_wait(detail::socket_core* socket) noexcept;
  /// The datagram, or null with the reason in outcome(). It stays queued.
  [[nodiscard]] detail::datagram* claimed() noexcept;
  [[nodiscard]] std::error_code outcome() const noexcept { return outcome_; }
  [[nodiscard]] detail::socket_core& socket() const noexcept { return *socket_; }

 private:
  friend detail::leaf_operation<receive_wait>;
  void on_stop() noexcept;
  void enlist() noexcept;
  [[nodiscard]] detail::datagram* take_claimed() noexcept;
  static void woken_up(detail::receive_waiter& self) noexcept;

  detail::socket_core* socket_;
  stop_scope* stop_ = nullptr;
  std::error_code outcome_;
  bool waited_ = false;
  bool claims_ = false;  // woken with a claim on a datagram
};

class receive_awaiter : public receive_wait {
 public:
  explicit receive_awaiter(detail::socket_core* socket) noexcept : receive_wait(socket) {}
  result<message> await_resume() noexcept;
};

/// What receive_into() delivered.
struct received {
  std::size_t copied = 0;  ///< bytes now in the caller's buffer
  std::size_t size = 0;    ///< bytes of the datagram
  endpoint from;
  message whole;  ///< where truncated: the datagram itself, lent, so that nothing is lost
  [[nodiscard]] bool truncated() const noexcept { return copied < size; }
  received() noexcept = default;
};

class receive_into_awaiter : public receive_wait {
 public:
  receive_into_awaiter(detail::socket_core* socket, mutable_buffer into) noexcept : receive_wait(socket), into_(into) {}
  result<received> await_resume() noexcept;

 private:
  mutable_buffer into_;
};

/// A bound RDS socket: one address and port that exchanges reliable, ordered datagrams with any number of peers.
///
/// Order: datagrams from one socket to one destination arrive in the order in which their sends were accepted, each once,
/// through any number of reconnects. A datagram for a port that nobody has bound is dropped by the peer and acknowledged.
/// Lifetime: its node and loop outlive it, or are closed first.
/// Threads: its loop's.
class socket {
 public:
  socket() noexcept = default;  ///< not bound: every operation reports not_bound
  socket(socket&& other) noexcept;
  socket& operator=(socket&& other) noexcept;
  ~socket();  ///< close()

  [[nodiscard]] explicit operator bool() const noexcept { return core_ != nullptr; }
  [[nodiscard]] endpoint local() const noexcept;

  /// Sends one datagram, whole, to `to`. Port 0 is a ping: its answer is an empty message from that host's port 0.
  /// Completes when the node has taken it over (until::accepted), or the peer's RDS layer has (until::acknowledged).
  ///   Until then it waits, without holding up anybody else, while that destination port is congested or the send buffer
  ///   is full.
  /// Lifetime: `payload` and its bytes stay valid until completion.
  /// Cancellation: an unsent datagram is taken back (canceled, or withdrawn once it was queued). One already sent in part
  ///   is copied and completes with may_arrive.
  /// Errors: message_too_large, no_destination, peer_not_allowed, address_family, limit_reached, closed.
  [[nodiscard]] send_awaiter send_to(const_buffers payload, endpoint const& to, until what = until::accepted) noexcept {
    return send_awaiter(core_, payload, to, what == until::acknowledged);
  }
  /// As send_to(), and the datagram carries an offer of memory to that peer, who finds it as message::offered().
  /// Lifetime: the offer until completion. Withdrawn before the datagram leaves, it is not in it.
  /// Errors: also stale_offer, wrong_peer.
  [[nodiscard]] offering_awaiter send_to(const_buffers payload, endpoint const& to, memory_offer const& offered,
                                         until what = until::accepted) noexcept {
    return offering_awaiter(core_, payload, to, what == until::acknowledged, offered.core_);
  }
  /// send_to() the default peer.
  [[nodiscard]] send_awaiter send(const_buffers payload, until what = until::accepted) noexcept {
    return send_to(payload, default_peer(), what);
  }
  /// As send_to() without waiting. Errors: also congested, would_block.
  [[nodiscard]] std::error_code try_send_to(const_buffers payload, endpoint const& to) noexcept;
  /// Completes when a send to `to` would be accepted. It may not be any more when somebody else sends first.
  [[nodiscard]] writable_awaiter writable(endpoint const& to) noexcept { return writable_awaiter(core_, to); }

  /// The next datagram.
  /// Cancellation: never takes a datagram along; the next receive gets it.
  /// Errors: canceled, closed.
  [[nodiscard]] receive_awaiter receive() noexcept { return receive_awaiter(core_); }
  /// The next datagram, copied. One that does not fit is reported, received::truncated(), and lent as received::whole.
  /// Lifetime: `into` stays valid until completion.
  [[nodiscard]] receive_into_awaiter receive_into(mutable_buffer into) noexcept { return receive_into_awaiter(core_, into); }
  /// The next datagram if there is one. Errors: would_block, closed.
  [[nodiscard]] result<message> try_receive() noexcept;
  /// Copies the start of the next datagram without taking it; received::whole stays empty. Errors: would_block, closed.
  [[nodiscard]] result<received> peek(mutable_buffer into) noexcept;

  // --- remote memory ---------------------------------------------------------------------------------------------
  //
  // An operation moves bytes between a region and memory that a peer has offered, without the peer's program, and is followed by a
  // datagram to whoever offered it: `then`, which may be empty. The peer sees that datagram only after the bytes.
  //
  // Completes when the peer's RDS layer has acknowledged that datagram and the adapter has let go of the memory: the same on every
  //   transport. Operations and datagrams to one destination are carried out in their order.
  // Lifetime: the slices, their array and `then` until completion.
  // Cancellation: completes only when the adapter has let go of the memory (rdma_options::flush_on_cancel), with canceled, withdrawn, or
  //   may_arrive where it may have been carried out.
  // Errors: those of send_to(), and stale_offer, not_registered, invalid_range, remote_access, remote_failed, operation_dropped,
  //   not_supported. A failed operation costs the connection where an adapter refused it; its datagram does not arrive.

  /// Registers memory of the program, for operations from and offers by all sockets of this address.
  /// Completes when it is registered. What that holds up, and what can be done about it: verbs_options::registration_thread.
  /// Lifetime: the memory until region::close() completed.
  /// Errors: not_supported, locked_memory_limit, no_device, out_of_memory, invalid_range where it is empty, closed.
  [[nodiscard]] task<result<region>> register_memory(mutable_buffer memory);

  /// Writes to the peer's memory, from `offset` on.
  [[nodiscard]] remote_awaiter rdma_write(region_slice const& from, remote_memory const& to, std::uint64_t offset = 0,
                                          const_buffers then = {}, rdma_options const& options = {}) noexcept {
    return remote_awaiter(core_, from, to, offset, then, detail::remote_operation::write, options);
  }
  /// Likewise, gathered.
  [[nodiscard]] remote_awaiter rdma_write(std::span<region_slice const> from, remote_memory const& to, std::uint64_t offset = 0,
                                          const_buffers then = {}, rdma_options const& options = {}) noexcept {
    return remote_awaiter(core_, from, to, offset, then, detail::remote_operation::write, options);
  }
  /// Reads the peer's memory, from `offset` on. The bytes are there on completion.
  [[nodiscard]] remote_awaiter rdma_read(region_slice const& into, remote_memory const& from, std::uint64_t offset = 0,
                                         const_buffers then = {}, rdma_options const& options = {}) noexcept {
    return remote_awaiter(core_, into, from, offset, then, detail::remote_operation::read, options);
  }
  /// Likewise, scattered.
  [[nodiscard]] remote_awaiter rdma_read(std::span<region_slice const> into, remote_memory const& from, std::uint64_t offset = 0,
                                         const_buffers then = {}, rdma_options const& options = {}) noexcept {
    return remote_awaiter(core_, into, from, offset, then, detail::remote_operation::read, options);
  }
  /// Adds to eight aligned bytes of the peer, a number in its own byte order. The value is what they were before.
  /// Atomic among the operations of one adapter. Kernels permit none on their memory: remote_access.
  [[nodiscard]] atomic_awaiter fetch_add(remote_memory const& at, std::uint64_t offset, std::uint64_t add, const_buffers then = {},
                                         rdma_options const& options = {}) noexcept {
    return atomic_awaiter(core_, at, offset, then, detail::remote_operation::fetch_add, add, 0, options);
  }
  /// Stores `desired` there if the bytes are `expected`. The value is what they were before: equal to `expected` where it was stored.
  [[nodiscard]] atomic_awaiter compare_swap(remote_memory const& at, std::uint64_t offset, std::uint64_t expected, std::uint64_t desired,
                                            const_buffers then = {}, rdma_options const& options = {}) noexcept {
    return atomic_awaiter(core_, at, offset, then, detail::remote_operation::compare_swap, desired, expected, options);
  }

  /// Atomics that look at, or change, some of the bits only, as kernels ask each other for them. Verbs have no such requests:
  /// not_supported, on every transport.
  [[nodiscard]] atomic_awaiter masked_fetch_add(remote_memory const&, std::uint64_t /*offset*/, std::uint64_t /*add*/,
                                                std::uint64_t /*boundary*/) noexcept {
    return atomic_awaiter(core_, errc::not_supported);
  }
  [[nodiscard]] atomic_awaiter masked_compare_swap(remote_memory const&, std::uint64_t /*offset*/, std::uint64_t /*expected*/,
                                                   std::uint64_t /*of_these*/, std::uint64_t /*desired*/,
                                                   std::uint64_t /*into_these*/) noexcept {
    return atomic_awaiter(core_, errc::not_supported);
  }

  /// Where send() goes. It filters nothing: the socket still receives from everybody.
  std::error_code set_default_peer(endpoint const& to) noexcept;
  [[nodiscard]] endpoint default_peer() const noexcept;
  void set_buffers(std::size_t send, std::size_t receive) noexcept;
  /// Before the first send only. Errors: not_supported where the transport cannot tell types apart (TCP, loopback);
  ///   std::errc::invalid_argument once the socket has sent.
  std::error_code set_type_of_service(std::uint8_t value) noexcept;

  /// Takes back every datagram to exactly `to` that is not acknowledged; one already on the wire may still arrive.
  /// Returns how many.
  std::size_t cancel_sent_to(endpoint const& to) noexcept;
  [[nodiscard]] std::size_t unacknowledged() const noexcept;  ///< datagrams sent and not acknowledged

  /// Waits until everything sent is acknowledged, or for `patience`. The value is what is left.
  [[nodiscard]] task<result<std::size_t>> drain(std::chrono::nanoseconds patience);
  /// At once: what is unsent or unacknowledged is taken back, what is unread is dropped, whoever waits gets `closed`.
  void close() noexcept;

 private:
  friend class node;
  template <class Transport>
  friend class basic_socket;
  explicit socket(detail::socket_core* core) noexcept : core_(core) {}

  detail::socket_core* core_ = nullptr;
};

}  // namespace rdsco
