// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "protocol/header.hpp"
#include "protocol/kind.hpp"

namespace rdsco::protocol {

enum class fragment_verdict : std::uint8_t {
  first_of_more,   // begins a message that goes on
  more,            // goes on
  complete,        // the message is whole; fragment_assembly::first() is its header
  ack_only,        // no message; may come between the fragments of one
  // From here on the connection is to be reset.
  too_short,       // less than a header
  bad_checksum,
  too_long,        // announces more than a message may have
  mismatch,        // belongs to another message than the one in progress
  wrong_size,      // carries more or less than its place in the message wants
};

constexpr bool must_reset(fragment_verdict verdict) noexcept { return verdict >= fragment_verdict::too_short; }

[[nodiscard]] std::string_view to_string(fragment_verdict verdict) noexcept;

/// How many SENDs a message takes over verbs; an empty one takes one.
constexpr std::uint32_t fragments_of(std::uint32_t length) noexcept {
  return length == 0 ? 1 : (length - 1) / fragment_bytes + 1;
}

/// Payload bytes of the fragment that starts at `at`.
constexpr std::uint32_t fragment_size(std::uint32_t length, std::uint32_t at) noexcept {
  std::uint32_t const left = length - at;
  return left < fragment_bytes ? left : fragment_bytes;
}

/// The receive rules of RDS over verbs: every SEND is a header and one fragment; all fragments of a message repeat its number,
/// length and ports, all but the last are full, and fragments of two messages never mix. It is stricter than a kernel, which
/// trusts the announced length and so delivers bytes that were never sent.
class fragment_assembly {
 public:
  /// Judges one received SEND. Unless the answer is too_short or bad_checksum, last() is then its header, whose ack and credit
  /// count for every frame. After a verdict that resets, only reset() may follow.
  [[nodiscard]] fragment_verdict admit(std::span<std::byte const> frame, std::uint32_t max_message = max_message_bytes) noexcept;

  /// Header of the first fragment: the flags and extensions of the message are those.
  [[nodiscard]] header const& first() const noexcept { return first_; }

  /// Header of the frame just admitted.
  [[nodiscard]] header const& last() const noexcept { return last_; }

  /// Where in the message the payload of the frame just admitted belongs.
  [[nodiscard]] std::uint32_t offset() const noexcept { return offset_; }

  [[nodiscard]] bool in_progress() const noexcept { return in_progress_; }

  /// A new connection, or the end of one: a partial message is forgotten.
  void reset() noexcept { *this = fragment_assembly{}; }

 private:
  [[nodiscard]] bool continues_first() const noexcept;

  header first_;
  header last_;
  std::uint32_t offset_ = 0;
  std::uint32_t received_ = 0;
  bool in_progress_ = false;
};

}  // namespace rdsco::protocol
