// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "protocol/limits.hpp"

namespace rdsco::protocol {

/// Ports that an update of a congestion map made free again, folded to 64 bits: bit n stands for all ports p with p % 64 == n.
/// A set bit therefore says "look again", a clear one "certainly nothing freed".
struct freed_ports {
  std::uint64_t mask = 0;

  [[nodiscard]] constexpr bool any() const noexcept { return mask != 0; }
  [[nodiscard]] constexpr bool may_include(std::uint16_t port) const noexcept { return (mask >> (port % 64) & 1) != 0; }
};

/// Which of the 65536 ports of one address are congested, held as it stands on the wire: port p is bit p % 8, lowest first, of
/// byte p / 8. A value of 8 KiB: keep one for each local address and one for each peer.
class congestion_map {
 public:
  using wire_bytes = std::span<std::byte const, congestion_map_bytes>;

  [[nodiscard]] bool test(std::uint16_t port) const noexcept { return (bytes_[port / 8u] & bit(port)) != std::byte{0}; }

  /// Both answer whether the bit changed, that is, whether peers must be told.
  bool set(std::uint16_t port) noexcept;
  bool clear(std::uint16_t port) noexcept;

  /// Nothing is congested, as at the start.
  void clear_all() noexcept { bytes_.fill(std::byte{0}); }

  [[nodiscard]] bool any() const noexcept;

  /// Takes over a whole map as received. A message of any other size changes nothing; see frame_kind::bad_congestion_map.
  freed_ports load(wire_bytes from) noexcept { return load_part(0, from); }

  /// Takes over a fragment of a map. `at` and the size are multiples of 8 and stay inside the map.
  freed_ports load_part(std::size_t at, std::span<std::byte const> from) noexcept;

  /// The payload to send.
  /// Lifetime: it is a view of this map and changes with it.
  [[nodiscard]] wire_bytes wire() const noexcept { return bytes_; }

  friend bool operator==(congestion_map const&, congestion_map const&) = default;

 private:
  static constexpr std::byte bit(std::uint16_t port) noexcept { return std::byte{1} << (port % 8); }

  alignas(64) std::array<std::byte, congestion_map_bytes> bytes_{};
};

}  // namespace rdsco::protocol
