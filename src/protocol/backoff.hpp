// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace rdsco::protocol {

/// How long to wait before the next connection attempt. The first comes at once; after that the delay is uniform below a bound
/// that doubles with each attempt up to a maximum. Kernels forget the bound when a connection is established and so spin against
/// a peer that accepts and resets; here it is forgotten when traffic has flowed.
class backoff {
 public:
  using duration = std::chrono::nanoseconds;

  static constexpr duration default_minimum = std::chrono::milliseconds{4};
  static constexpr duration default_maximum = std::chrono::milliseconds{1000};

  constexpr explicit backoff(duration minimum = default_minimum, duration maximum = default_maximum) noexcept
      : minimum_(std::max(minimum, duration{1})), maximum_(std::max(maximum, minimum_)) {}

  /// The delay before an attempt that starts now. `random` is uniform over all 64-bit values.
  [[nodiscard]] constexpr duration next_delay(std::uint64_t random) noexcept {
    if (bound_ == duration::zero()) {
      bound_ = minimum_;
      return duration::zero();
    }
    duration const delay{static_cast<duration::rep>(random % static_cast<std::uint64_t>(bound_.count()))};
    bound_ = bound_ > maximum_ / 2 ? maximum_ : bound_ * 2;
    return delay;
  }

  /// The peer has shown that it takes what is sent, or sent something itself: the next attempt comes at once again.
  constexpr void traffic_flowed() noexcept { bound_ = duration::zero(); }

  /// Every delay is below it; zero if the next attempt comes at once.
  [[nodiscard]] constexpr duration bound() const noexcept { return bound_; }

 private:
  duration minimum_;
  duration maximum_;
  duration bound_ = duration::zero();
};

}  // namespace rdsco::protocol
