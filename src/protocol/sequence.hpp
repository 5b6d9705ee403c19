// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "protocol/limits.hpp"

namespace rdsco::protocol {

enum class sequence_verdict : std::uint8_t {
  fresh,      // process it
  duplicate,  // drop it; it may still have to be acknowledged
  restarted,  // process it: the peer began again at 1
};

/// Which numbered frames of one path are new. Numbers only grow, gaps are normal (a socket that closes takes its queued messages
/// away), and the first number of a peer may be any. A kernel drops an old number only with flag::retransmitted and moves its
/// expectation back otherwise, which repeats messages; here, within one transport connection and within one known generation,
/// the expectation never moves back.
///
/// It lives as long as the path, through reconnects.
class receive_sequence {
 public:
  /// A new transport connection: its first frame that is not sent again may reveal a restarted peer.
  void begin_connection() noexcept {
    restart_possible_ = true;
    last_received_.reset();
    generation_shown_ = false;
    generation_changed_ = false;
  }

  /// The generation in a probe or its pong, to be called before its number is admitted. 0 means that the peer has none. At most one
  /// change is taken in a connection, so that a hostile peer cannot reset the expectation at will.
  /// Answers true if it shows that the peer restarted.
  bool peer_generation(std::uint32_t generation) noexcept;

  /// Judges the number of a frame for which is_numbered() holds, and moves the expectation.
  sequence_verdict admit(std::uint64_t sequence, bool retransmitted) noexcept;

  /// The number to acknowledge; nothing before the first numbered frame of this connection.
  [[nodiscard]] std::optional<std::uint64_t> last_received() const noexcept { return last_received_; }

  /// The lowest number that is taken as new.
  [[nodiscard]] std::uint64_t expected() const noexcept { return expected_; }

 private:
  [[nodiscard]] bool shows_restart(bool retransmitted) const noexcept {
    // A kernel flags what it sends again, and sends it first; so what comes unflagged behind that has a number above all that it ever
    // transmitted. An old number there was counted from 1 again. It need not be 1: messages that were taken back while there
    // was no connection have used up numbers too.
    return restart_possible_ && !generation_shown_ && !retransmitted;
  }

  std::uint64_t expected_ = 0;
  std::optional<std::uint64_t> last_received_;
  std::uint32_t generation_ = 0;
  bool restart_possible_ = true;  // this connection has brought nothing but old numbers sent again
  bool generation_shown_ = false;
  bool generation_changed_ = false;
};

inline bool receive_sequence::peer_generation(std::uint32_t generation) noexcept {
  if (generation == 0) {
    return false;
  }
  bool const changed = generation_ != 0 && generation != generation_;
  if (changed && generation_changed_) {
    return false;
  }
  generation_ = generation;
  generation_shown_ = true;
  if (!changed) {
    return false;
  }
  generation_changed_ = true;
  // One connection belongs to one life of the peer: what this connection has brought so far still counts.
  expected_ = last_received_ ? *last_received_ + 1 : 0;
  return true;
}

inline sequence_verdict receive_sequence::admit(std::uint64_t sequence, bool retransmitted) noexcept {
  bool const old = sequence < expected_;
  bool const restarted = old && shows_restart(retransmitted);
  restart_possible_ = restart_possible_ && old && retransmitted;
  if (old && !restarted) [[unlikely]] {
    last_received_ = std::max(last_received_.value_or(0), sequence);
    return sequence_verdict::duplicate;
  }
  // 2^64-1 wraps the expectation to 0, after which every number is new; kernels do the same.
  expected_ = sequence + 1;
  last_received_ = sequence;
  return restarted ? sequence_verdict::restarted : sequence_verdict::fresh;
}

enum class ack_verdict : std::uint8_t {
  stale,     // says nothing new
  advances,  // everything up to it is the peer's
  future,    // names a number that was never transmitted: the peer is broken or hostile
};

/// Numbers of one path's outgoing messages, given at their first transmission, and what the peer has acknowledged of them. The
/// start must grow across restarts of the node, because a kernel peer remembers what it expects; it is never 0.
class transmit_sequence {
 public:
  explicit constexpr transmit_sequence(std::uint64_t start) noexcept : next_(start == 0 ? 1 : start), acknowledged_(next_ - 1) {}

  /// Numbers a message that is about to be transmitted for the first time.
  constexpr std::uint64_t take() noexcept { return next_++; }

  [[nodiscard]] constexpr std::uint64_t next() const noexcept { return next_; }

  /// The start minus one before anything was transmitted.
  [[nodiscard]] constexpr std::uint64_t highest_transmitted() const noexcept { return next_ - 1; }

  /// The start minus one before anything was acknowledged.
  [[nodiscard]] constexpr std::uint64_t acknowledged() const noexcept { return acknowledged_; }

  [[nodiscard]] constexpr ack_verdict judge(std::uint64_t ack) const noexcept {
    if (ack > highest_transmitted()) {
      return ack_verdict::future;
    }
    return ack > acknowledged_ ? ack_verdict::advances : ack_verdict::stale;
  }

  /// As judge(), and remembers an acknowledgement that advances.
  constexpr ack_verdict acknowledge(std::uint64_t ack) noexcept {
    ack_verdict const verdict = judge(ack);
    if (verdict == ack_verdict::advances) {
      acknowledged_ = ack;
    }
    return verdict;
  }

 private:
  std::uint64_t next_;
  std::uint64_t acknowledged_;
};

/// When to set flag::ack_required: on the first message of a fresh path, and then whenever the budget of messages or bytes that may
/// pass without one is spent. With the defaults that is messages 1, 10, 19 and so on.
class ack_budget {
 public:
  constexpr explicit ack_budget(std::uint32_t messages = max_unacked_messages, std::uint32_t bytes = max_unacked_bytes) noexcept
      : full_messages_(messages), full_bytes_(bytes) {}

  /// Charges one message of `length` bytes; answers whether it must ask for an acknowledgement.
  [[nodiscard]] constexpr bool charge(std::uint32_t length) noexcept {
    if (messages_ == 0 || bytes_ < length) {
      rearm();
      return true;
    }
    --messages_;
    bytes_ -= length;
    return false;
  }

  /// After a path reset, and after an acknowledgement was asked for in any other way.
  constexpr void rearm() noexcept {
    messages_ = full_messages_;
    bytes_ = full_bytes_;
  }

 private:
  std::uint32_t full_messages_;
  std::uint32_t full_bytes_;
  std::uint32_t messages_ = 0;
  std::uint32_t bytes_ = 0;
};

}  // namespace rdsco::protocol
