// SPDX-License-Identifier: BSD-2-Clause
// only: can.credits
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

namespace rdsco::detail {

/// Flow control of one connection over a fabric on which a message that finds no receive posted ends the connection. Each side tells
/// the other of every receive that it posts; each message takes one.
///
/// A receive is in one of these places: with its owner (posted and not advertised yet, or not posted), on its way to the peer in a
/// header, with the peer, or on its way back in a message that takes it.
///
/// The last credit is kept for an acknowledgement that has something to advertise. Otherwise two sides that both send could both end up
/// with nothing, each with all of the other's receives to tell of. And because such a frame takes no receive for long, even a side whose
/// messages are not read by their receiver can go on acknowledging.
class credits {
 public:
  /// With fewer receives there would not be enough for a congestion map beside what is not told yet.
  static constexpr std::uint32_t receives_min = 4;

  explicit credits(std::uint32_t receives = receives_min) noexcept : worth_telling_(std::clamp(receives / 4, 2u, 16u)) {}

  // --- our receives ----------------------------------------------------------------------------------------------
  void posted(std::uint32_t count) noexcept { unadvertised_ += count; }
  /// For the connection manager's private data: all of them.
  [[nodiscard]] std::uint32_t announce() noexcept { return with_peer_ = std::exchange(unadvertised_, 0u); }
  /// So many that the peer is told in a frame of its own. Never one: the frame takes a receive of the peer, of which the peer would
  /// have to tell in turn, and so on without end. Unless the peer has none at all, and so could not even acknowledge; it is not told
  /// with our last one, or two sides in need would wake each other for ever.
  [[nodiscard]] bool worth_telling() const noexcept {
    return unadvertised_ >= worth_telling_ || (with_peer_ == 0 && unadvertised_ != 0 && available_ > 1);
  }
  [[nodiscard]] std::uint32_t unadvertised() const noexcept { return unadvertised_; }

  // --- the peer's ------------------------------------------------------------------------------------------------
  void granted(std::uint32_t count) noexcept { available_ += std::min(count, available_max - available_); }
  /// A message of the peer came, with what its header tells.
  void arrived(std::uint32_t told) noexcept {
    granted(told);
    if (with_peer_ != 0) --with_peer_;
  }
  [[nodiscard]] std::uint32_t for_messages() const noexcept { return available_ > 1 ? available_ - 1 : 0; }
  [[nodiscard]] bool for_acknowledgement() const noexcept { return available_ > 1 || (available_ == 1 && unadvertised_ != 0); }
  [[nodiscard]] std::uint32_t available() const noexcept { return available_; }

  /// A message leaves: it takes a receive of the peer, and its header says what is returned.
  [[nodiscard]] std::uint8_t spend() noexcept {
    --available_;
    std::uint32_t const told = std::min(unadvertised_, 255u);
    unadvertised_ -= told;
    with_peer_ += told;
    return static_cast<std::uint8_t>(told);
  }

 private:
  // No ring is that long. A peer that promises more breaks its own connection.
  static constexpr std::uint32_t available_max = 1u << 24;

  std::uint32_t worth_telling_;
  std::uint32_t unadvertised_ = 0;
  std::uint32_t with_peer_ = 0;  // told, and not taken by a message that has arrived
  std::uint32_t available_ = 0;
};

}  // namespace rdsco::detail
