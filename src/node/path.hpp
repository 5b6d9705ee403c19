// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "node/carrier.hpp"
#include "node/datagram.hpp"
#include "protocol/path_state.hpp"
#include "protocol/sequence.hpp"

#include <rdsco/detail/check.hpp>
#include <rdsco/detail/ready.hpp>

#include <cstddef>
#include <cstdint>

namespace rdsco::detail {

/// How the peer proves that its RDS layer owns what we sent.
enum class acknowledgement_mode : std::uint8_t {
  unknown,   ///< the peer has not answered the probe yet: nothing is retired
  frames,    ///< another rdsco node: true acknowledgements
  pongs,     ///< a kernel: the pong of a ping sent behind the messages
  transport  ///< a kernel that answers no ping: what its TCP acknowledged
};

/// One ordered stream of datagrams to a peer: what is to be sent, what waits for its acknowledgement, and the numbers
/// of both directions. It survives its links: a link comes, carries, breaks, and the next one goes on.
///
/// Only its actor and link change it, with few exceptions: sockets enqueue() and withdraw(), a region that is closed by force has
/// drop_work_on(), and `map_due` is set where a port becomes congested or free.
class path {
 public:
  explicit path(connection& owner, std::uint64_t first_sequence) noexcept;
  ~path();
  path(path const&) = delete;
  path& operator=(path const&) = delete;

  // --- for sockets -----------------------------------------------------------------------------------------------
  /// Takes a batch over and tells the carrier, once.
  void enqueue(datagram_list& batch) noexcept;
  void enqueue(datagram& one) noexcept {
    one.state = datagram_state::unsent;
    urgent_ |= one.acknowledge_soon;
    bool const was_empty = unsent_.empty();
    unsent_.push_back(one);
    // While something stands in the queue the carrier knows already.
    if (was_empty) carried_by->work_queued();
  }
  /// Takes a datagram back that is unsent or unacknowledged. One whose bytes are in the link is orphaned instead: it is
  /// finished, because the stream's framing needs it, and then freed.
  void withdraw(datagram& one) noexcept;

  // --- for the link ----------------------------------------------------------------------------------------------
  [[nodiscard]] datagram* next_unsent() noexcept { return unsent_.empty() ? nullptr : &unsent_.front(); }
  /// The head of the send queue goes to the link: it gets its number, if it has none, and waits for acknowledgement.
  void begin_transmit(datagram& head) noexcept;
  /// One of the path will not be sent, or not again: its sender is told why, and it is freed.
  void drop(datagram& one, errc why) noexcept;
  /// Operations on that memory that no link has begun: the memory is not registered any more.
  void drop_work_on(region_core const& region) noexcept;
  /// All bytes of it are out of the link's hands.
  void end_transmit(datagram& done) noexcept;

  /// Everything up to `sequence` is owned by the peer's RDS layer. False where that was never sent.
  [[nodiscard]] bool acknowledged(std::uint64_t sequence, std::uint64_t& counter) noexcept;
  /// Likewise, of what earlier connections brought: nothing has been sent on this one.
  [[nodiscard]] bool acknowledged_earlier(std::uint64_t sequence, std::uint64_t& counter) noexcept;
  /// A pong came in for one of the node's own pings.
  void pong_arrived(std::uint16_t port, std::uint64_t& counter) noexcept;
  /// Asks a kernel to prove what it owns: a ping behind everything sent so far.
  [[nodiscard]] bool request_pong(block_pool& pool) noexcept;
  /// The ping, or probe, whose pong is expected lies wholly below this stream offset.
  [[nodiscard]] bool pong_requested_below(std::uint64_t stream_offset) noexcept;
  /// Retires what lies wholly below this stream offset (peers that answer no ping).
  void acknowledged_by_transport(std::uint64_t stream_offset, std::uint64_t& counter) noexcept;

  /// The receiver is in this process: the head is numbered, acknowledged and off the path in one step, and the caller's.
  [[nodiscard]] datagram& hand_over() noexcept {
    datagram& head = unsent_.front();
    unsent_.remove(head);
    head.sequence = numbers.take();
    head.state = datagram_state::made;
    static_cast<void>(numbers.acknowledge(head.sequence));
    return head;
  }

  /// A connection is established. The order on it: retransmissions, the probe, what is new.
  /// `probes`: a probe tells who the peer is. Without, every header of its acknowledges.
  void begin_connection(bool probes) noexcept;
  /// The probe of this connection could not be made yet.
  [[nodiscard]] bool probe_due() const noexcept { return probe_due_; }
  /// Puts it behind the retransmissions and ahead of every fresh number. Null: there was no memory, and it stays due.
  void announce(datagram* probe) noexcept;
  /// The connection is gone: what is unacknowledged is to be sent again, ahead of everything else and in order.
  void reset() noexcept;

  [[nodiscard]] bool has_unsent() const noexcept { return !unsent_.empty(); }
  [[nodiscard]] bool idle() const noexcept { return unsent_.empty() && unacknowledged_.empty(); }
  /// Data (not pings or probes) that no acknowledgement has covered yet.
  [[nodiscard]] bool awaits_acknowledgement() const noexcept { return unretired_ != 0; }
  /// Somebody waits for it: a send that completes when acknowledged, or a send buffer half full.
  [[nodiscard]] bool acknowledgement_urgent() const noexcept { return urgent_; }
  void acknowledgement_requested() noexcept { urgent_ = false; }

  /// A numbered frame arrived that the peer may forget once we acknowledge it.
  void owe_acknowledgement(std::size_t bytes, bool at_once) noexcept {
    ++owed_.messages;
    owed_.bytes += bytes;
    owed_.at_once |= at_once;
  }
  void acknowledgement_sent() noexcept { owed_ = {}; }
  [[nodiscard]] bool owes_acknowledgement() const noexcept { return owed_.messages != 0; }
  [[nodiscard]] bool owes_acknowledgement_now() const noexcept {
    return owed_.at_once || owed_.messages >= owed_messages_max || owed_.bytes >= owed_bytes_max;
  }

  /// Moves the state. An event that cannot happen in it is a mistake of the link, and caught.
  void happened(protocol::path_event event) noexcept {
    bool const possible = state.apply(event);
    RDSCO_CHECK(possible, "an event that cannot happen in the state of its path");
  }

  // --- state -----------------------------------------------------------------------------------------------------
  connection& owner;
  carrier* carried_by = nullptr;
  /// Tells the connections of a node apart, of all its paths: memory that was offered on one is nothing on another. What is reached by
  /// copying has none.
  std::uint32_t epoch;
  protocol::path_state_machine state;
  protocol::receive_sequence received;
  protocol::transmit_sequence numbers;
  protocol::ack_budget budget{64, 256 * 1024};
  acknowledgement_mode mode = acknowledgement_mode::unknown;
  bool map_due = false;           ///< our congestion map changed, or the connection is new
  /// The probe of this connection has not been transmitted: the peer cannot know yet what kind of node this is.
  bool probe_unsent = false;
  /// The ping whose pong proves that the peer owns everything up to `sequence`, or the probe (port 1); port 0: none is under way.
  struct expected_pong {
    std::uint16_t port = 0;
    std::uint64_t sequence = 0;
  };
  expected_pong pong;
  bool pong_seen = false;                  ///< the peer has answered a ping on this connection
  std::size_t answers_unsent = 0;          ///< to pings and probes
  std::size_t answers_unacknowledged = 0;  ///< sent, and kept for a retransmission

  [[nodiscard]] datagram_list& unsent() noexcept { return unsent_; }
  [[nodiscard]] datagram_list& unacknowledged() noexcept { return unacknowledged_; }
  /// Frees everything. The sockets have been detached.
  void clear() noexcept;

 private:
  // A receiver tells the sender after so much even if nobody asked.
  static constexpr std::uint32_t owed_messages_max = 64;
  static constexpr std::size_t owed_bytes_max = 256 * 1024;
  struct owed {
    std::uint32_t messages = 0;
    std::size_t bytes = 0;
    bool at_once = false;
  };

  void retire(datagram& one) noexcept;
  void forget(datagram& one) noexcept;
  void drop_unrepeatable() noexcept;

  datagram_list unsent_;
  datagram_list unacknowledged_;
  std::size_t unretired_ = 0;  // on unacknowledged_, without what only asks for acknowledgements
  bool urgent_ = false;
  bool probe_due_ = false;
  owed owed_;
  std::uint16_t next_pong_port_ = 0;
};

}  // namespace rdsco::detail
