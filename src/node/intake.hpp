// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "node/connection.hpp"
#include "protocol/header.hpp"
#include "protocol/kind.hpp"

#include <rdsco/buffer.hpp>

namespace rdsco::detail {

/// Where the frames of one connection come in, on every transport: what each is, whether it is new, and whose it is.
/// The link hands over whole messages; it decodes headers and puts fragments together.
class intake {
 public:
  explicit intake(connection& by) noexcept : by_(by) {}

  /// A header has arrived. Memory for its payload, or null where the payload means nothing to anybody and is to be
  /// skipped, or where memory was refused (then `refused()`).
  [[nodiscard]] datagram* begin(protocol::header const& head) noexcept;
  [[nodiscard]] bool refused() const noexcept { return refused_; }
  /// The message is complete; `payload` is what begin() returned. False: the peer broke the protocol, its connection must go.
  [[nodiscard]] bool finish(protocol::header const& head, datagram* payload) noexcept;
  /// begin() and finish() for a message whose payload has arrived already.
  [[nodiscard]] bool whole(protocol::header const& head, const_buffer payload) noexcept;

  /// Datagrams handed to sockets since this was last asked.
  [[nodiscard]] std::size_t take_delivered() noexcept { return std::exchange(delivered_, 0u); }
  /// The peer has proved itself on this connection: some message of it was taken.
  [[nodiscard]] bool traffic_flowed() const noexcept { return traffic_; }
  void begin_connection() noexcept { traffic_ = false; }

 private:
  [[nodiscard]] protocol::frame_kind kind_of(protocol::header const& head) const noexcept;
  [[nodiscard]] bool acknowledge(std::uint64_t ack) noexcept;
  [[nodiscard]] bool numbered(protocol::header const& head, protocol::frame_kind kind, datagram* payload) noexcept;
  void deliver(protocol::header const& head, datagram* payload) noexcept;
  [[nodiscard]] bool may_answer() noexcept;
  void answer_ping(protocol::header const& head) noexcept;
  void answer_probe() noexcept;
  void take_pong(protocol::header const& head) noexcept;
  void learn_peer(protocol::header const& head) noexcept;
  void queue_answer(datagram_kind kind, protocol::header const& answer) noexcept;
  static void drop(datagram* payload) noexcept;

  connection& by_;
  std::size_t delivered_ = 0;
  bool refused_ = false;
  bool traffic_ = false;
};

/// The probe that announces this node on a new connection. Null where memory was refused.
[[nodiscard]] datagram* make_probe_datagram(node_core& node) noexcept;

}  // namespace rdsco::detail
