// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/endpoint.hpp>
#include <rdsco/transport.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace rdsco {

/// A range of addresses: "10.0.0.0/8", "fd00::/16", or one address.
struct subnet {
  address base;
  unsigned prefix_bits = 128;  ///< counted on the 128-bit form: an IPv4 /24 is 120

  [[nodiscard]] static std::optional<subnet> parse(std::string_view text);
  [[nodiscard]] bool contains(address const& candidate) const noexcept;
};

/// Bounds of a node. RDS has no authentication, so whatever a peer can make grow has one; each has a counter. None may be zero.
struct node_limits {
  std::size_t message_bytes = 1u << 20;          ///< largest datagram sent or accepted (the kernel's limit); below 4 MiB less a header
  std::size_t peers = 1024;                      ///< connections, each a (local address, peer address, type of service)
  std::size_t sockets = 65536;
  std::size_t accepted_waiting = 4;              ///< accepted streams of one peer that its connection has not taken over yet
  std::size_t queued_pongs = 64;                 ///< unsent answers to pings, per peer; sixteen times as many unacknowledged
  std::size_t unread_bytes_per_peer = 1u << 20;  ///< taken from one peer for sockets over four times their receive buffer; then that peer is not read, unless it owes us acknowledgements
  std::size_t memory_bytes = 1u << 30;           ///< all datagrams of the node, queued, unacknowledged and lent; sends are refused from just under half of it, and one peer's unread ones hold a quarter. At least four times message_bytes and 1 MiB
  std::chrono::nanoseconds partial_message{std::chrono::seconds(30)};  ///< a peer that stops in the middle of a message
  std::chrono::nanoseconds connect{std::chrono::seconds(5)};

  node_limits() = default;
};

/// Settings of RDS over TCP.
struct tcp_options {
  std::uint16_t port = 16385;
  std::chrono::nanoseconds reconnect_min{std::chrono::milliseconds(4)};
  std::chrono::nanoseconds reconnect_max{std::chrono::milliseconds(1000)};
  /// How long acknowledgements may be saved up while nobody waits for one.
  std::chrono::nanoseconds acknowledge_within{std::chrono::milliseconds(5)};
  /// A kernel that answers no ping for about so long, on a wire that works, has pings switched off: what its TCP acknowledged is
  /// retired, and counted.
  std::chrono::nanoseconds pong_patience{std::chrono::seconds(5)};
  std::optional<int> send_buffer;     ///< of the TCP socket; the kernel's own tuning when unset
  std::optional<int> receive_buffer;  ///< likewise

  tcp_options() = default;
};

/// Versions of RDS over verbs. Whichever two nodes agree on, they exchange the same frames.
enum class verbs_version : std::uint8_t { v3_1, v4_0, v4_1 };

/// Settings of RDS over InfiniBand, RoCE and iWARP. The rings are registered memory, 4 KiB a slot, of each connection that is up.
struct verbs_options {
  std::uint16_t port_v4 = 18634;  ///< as kernels have them
  std::uint16_t port_v6 = 16385;
  std::uint32_t receives = 256;   ///< posted receives; as many as the adapter can, and over iWARP 4 at least
  std::uint32_t sends = 128;      ///< fragments under way; as many as the adapter can, and 3 at least
  std::chrono::nanoseconds reconnect_min{std::chrono::milliseconds(4)};
  std::chrono::nanoseconds reconnect_max{std::chrono::milliseconds(1000)};
  /// How long acknowledgements may be saved up while nobody waits for one.
  std::chrono::nanoseconds acknowledge_within{std::chrono::milliseconds(5)};
  /// What is proposed first. A peer that refuses a version 4 is asked for 3.1 next; peers may propose any of them.
  verbs_version newest = verbs_version::v3_1;
  /// socket::register_memory() of more than 2 MiB has a thread of its own make the adapter's call, which pins all pages at once, and the
  /// loop goes on. Without, nobody but the loop's thread is there: it has the pages made present 2 MiB a turn, and then makes the call
  /// itself, which holds up everybody for a while that grows with the memory: docs/transports.md.
  bool registration_thread = false;

  verbs_options() = default;
};

/// What a node is told when it is opened. Nothing is bound or accepted that is not named here.
class node_options {
 public:
  struct owned_address {
    address at;
    std::string_view transport;
    transport_capabilities capabilities;
    detail::transport_maker make;
  };

  node_options() = default;

  /// The node owns `at`; transport T carries its traffic with other hosts.
  template <transport_tag T = tcp>
  node_options& own(address const& at) {
    owned_.push_back({at, T::name, T::capabilities, &T::make});
    return *this;
  }
  /// Hosts that may be talked to and may connect. Without any, only the node's own sockets talk with each other.
  node_options& allow(subnet const& peers) {
    allowed_.push_back(peers);
    return *this;
  }

  [[nodiscard]] std::vector<owned_address> const& owned() const noexcept { return owned_; }
  [[nodiscard]] bool allows(address const& peer) const noexcept;

  node_limits limits;
  tcp_options tcp;
  verbs_options verbs;
  /// Send numbers start above this mark as well as above the wall clock: keep the last node.sequence_mark() across
  /// restarts where the clock may jump back.
  std::uint64_t sequence_mark = 0;
  detail::transport_maker local_traffic = &loopback::make;

 private:
  std::vector<owned_address> owned_;
  std::vector<subnet> allowed_;
};

}  // namespace rdsco
