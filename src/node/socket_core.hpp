// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "node/datagram.hpp"

#include <rdsco/counters.hpp>
#include <rdsco/detail/receive_waiter.hpp>
#include <rdsco/detail/send_state.hpp>
#include <rdsco/result.hpp>
#include <rdsco/socket_options.hpp>
#include <rdsco/tables.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace rdsco::detail {

struct by_node;  // everything a node has bound and that is still referred to, closed or not

/// What a datagram counted for with its sender, once it is somebody else's.
struct datagram_account {
  acknowledged_send* waiting = nullptr;
};

/// A bound socket. It lives while the public handle, the node's port table or a lent message refers to it.
///
/// A path reaches it by deliver(), sent_retired() and sent_dropped() alone; it reaches a path by enqueue() and withdraw(), and reads its
/// epoch where an operation says for which it is.
class socket_core : public list_hook<by_node> {
 public:
  [[nodiscard]] static socket_core* make(node_core& node, local_host& host, std::uint16_t port, socket_options const& options);
  void hold() noexcept { ++references_; }
  void let_go() noexcept {
    if (--references_ == 0) delete this;
  }

  // --- sending ---------------------------------------------------------------------------------------------------
  enum class admission : std::uint8_t { accepted, refused, port_congested, buffer_full };
  struct admitted {
    admission verdict;
    errc why{};                 ///< where refused
    connection* by = nullptr;   ///< where congested, or accepted
  };
  /// Tries to take one datagram over. `waiting`: is told when it is acknowledged, and the payload stays in the caller's memory until then.
  /// `along`: what it takes with it.
  [[nodiscard]] admitted admit(const_buffers const& payload, endpoint const& to, acknowledged_send* waiting,
                               accompaniment const* along = nullptr) noexcept;
  /// Why admit() would not accept now, or accepted. No datagram is made.
  [[nodiscard]] admitted probe(std::size_t bytes, endpoint const& to) noexcept;
  void wait_for_room(send_waiter& waiter) noexcept { room_waiters_.push_back(waiter); }
  /// Whoever waits for room looks again, room or not.
  void retry_senders() noexcept { wake_all(room_waiters_); }
  [[nodiscard]] bool others_wait_for_room() const noexcept { return !room_waiters_.empty(); }
  std::size_t cancel_sent_to(endpoint const& to) noexcept;

  /// A datagram of ours was acknowledged, or will never be: its bytes no longer count.
  void sent_retired(datagram& one) noexcept;
  void sent_dropped(datagram& one, errc why) noexcept;
  /// Loopback: the datagram becomes its receiver's; whoever waits for it is told by settle_account(), after delivery.
  [[nodiscard]] datagram_account release_account(datagram& one) noexcept {
    discharge(one);
    return {std::exchange(one.waiting, nullptr)};
  }
  void settle_account(datagram_account const& account, errc outcome = {}) noexcept {
    if (account.waiting != nullptr) account.waiting->ended(*account.waiting, outcome);
    room_made();
  }
  /// Takes a datagram of ours off its path; whoever waits for it is told why. The caller says room_made(), once, behind the last.
  void take_back(datagram& one, errc why) noexcept;
  void room_made() noexcept {
    if (!room_waiters_.empty()) wake_room_waiters();
    if (sent_count_ == 0 && !drain_waiters_.empty()) wake_all(drain_waiters_);
  }
  [[nodiscard]] std::size_t unacknowledged_count() const noexcept { return sent_count_; }
  void wait_until_drained(send_waiter& waiter) noexcept { drain_waiters_.push_back(waiter); }

  // --- receiving -------------------------------------------------------------------------------------------------
  /// Takes a datagram over and wakes a receiver. False: the socket is closed, the caller keeps it.
  bool deliver(datagram& one, connection& by) noexcept;
  /// The oldest unread datagram that no woken receiver has a claim on.
  [[nodiscard]] bool readable() const noexcept { return unread_count_ > claims_; }
  [[nodiscard]] datagram& front() noexcept { return unread_.front(); }
  /// Lends the oldest unread datagram out.
  [[nodiscard]] datagram* take() noexcept {
    datagram* const taken = unread_.pop_front();
    --unread_count_;
    taken->state = datagram_state::lent;
    hold();
    ++counted_->recv_delivered;
    return taken;
  }
  /// A pong came in by this connection: true, once for each ping of ours that left by it, where one is awaited.
  [[nodiscard]] bool expects_pong(connection const& by) noexcept;
  void wait_to_receive(receive_waiter& waiter) noexcept { receive_waiters_.push_back(waiter); }
  /// A woken receiver resumes: its claim ends, whether it takes the datagram or leaves it to the next one.
  void end_claim(bool taken) noexcept;
  /// The program is done with a lent datagram.
  void give_back(datagram& lent) noexcept;

  void close() noexcept;
  /// The node is gone; what is lent out may still come back.
  void detach() noexcept {
    node_ = nullptr;
    unlink();
  }

  [[nodiscard]] bool open() const noexcept { return open_; }
  [[nodiscard]] endpoint const& bound() const noexcept { return bound_; }
  [[nodiscard]] node_core* node() const noexcept { return node_; }
  [[nodiscard]] socket_options const& options() const noexcept { return options_; }
  void set_buffers(std::size_t send, std::size_t receive) noexcept;
  [[nodiscard]] std::error_code set_type_of_service(std::uint8_t value) noexcept;
  [[nodiscard]] endpoint const& default_peer() const noexcept { return default_peer_; }
  void set_default_peer(endpoint const& to) noexcept { default_peer_ = to; }
  [[nodiscard]] socket_row row() const;
  void describe_unread(std::vector<message_row>& rows);
  [[nodiscard]] loop& where() const noexcept { return loop_; }
  [[nodiscard]] local_host& host() const noexcept { return host_; }

 private:
  socket_core(node_core& node, local_host& host, std::uint16_t port, socket_options const& options) noexcept;
  ~socket_core();

  [[nodiscard]] errc check(std::size_t bytes, endpoint const& to) const noexcept;
  [[nodiscard]] errc route(endpoint const& to) noexcept;
  [[nodiscard]] bool registered(remote_work const& work) const noexcept;
  [[nodiscard]] errc check(accompaniment const& along, connection& by) const noexcept;
  void take_along(accompaniment const& along, datagram& by) noexcept;
  [[nodiscard]] datagram* make_datagram(const_buffers const& payload, endpoint const& to, acknowledged_send* waiting, connection* by) noexcept;
  void account_unread(std::size_t bytes) noexcept;
  void settle_unread(datagram& one) noexcept;
  void free_port_when_read() noexcept;
  // What leaves the path in whichever way no longer counts against the socket.
  void discharge(datagram& one) noexcept {
    sent_.remove(one);
    send_bytes_ -= one.length;
    --sent_count_;
    one.owner = nullptr;
  }
  [[nodiscard]] bool await_pong(connection const& by) noexcept;
  [[nodiscard]] bool has_room(std::size_t bytes) const noexcept;
  void wake_room_waiters() noexcept;
  void wake_all(send_waiter_list& waiters) noexcept;
  void charge(datagram& one) noexcept;
  void uncharge(datagram& one) noexcept;
  void uncharge_what_fits() noexcept;
  [[nodiscard]] std::size_t byte_cap() const noexcept { return options_.receive_buffer * cap_factor; }
  // What is charged to peers already is not in its way.
  [[nodiscard]] bool over_cap() const noexcept {
    return unread_bytes_ - charged_bytes_ > byte_cap() || held_count_ - charged_count_ > held_count_max;
  }

  // Over this many receive buffers a peer's bytes count against the peer.
  static constexpr std::size_t cap_factor = 4;
  // Empty datagrams take no room in the receive buffer; their number is bounded instead.
  static constexpr std::size_t held_count_max = 65536;

  node_core* node_;
  counters* const counted_;  // the node's; only while there is a node
  loop& loop_;
  local_host& host_;
  endpoint bound_;
  endpoint default_peer_;
  socket_options options_;
  std::size_t const largest_;  // the node's limit for one datagram
  std::uint64_t const id_;
  connection* last_used_ = nullptr;
  std::uint32_t references_ = 1;
  bool open_ = true;
  bool congested_ = false;
  bool has_sent_ = false;

  std::size_t send_bytes_ = 0;
  std::size_t sent_count_ = 0;
  struct awaited_pongs {
    connection const* by;
    std::size_t count;
  };
  std::vector<awaited_pongs> pongs_;  // of few peers at a time
  sender_list sent_;
  send_waiter_list room_waiters_;
  send_waiter_list drain_waiters_;

  datagram_list unread_;
  std::size_t unread_count_ = 0;
  std::size_t unread_bytes_ = 0;  // queued and lent
  std::size_t held_count_ = 0;    // likewise
  sender_list charged_;           // of these, what is over the cap and counts against its peer
  std::size_t charged_bytes_ = 0;
  std::size_t charged_count_ = 0;
  std::size_t claims_ = 0;
  receive_waiter_list receive_waiters_;
};

}  // namespace rdsco::detail
