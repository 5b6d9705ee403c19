// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/clock.hpp>

#include <algorithm>

namespace rdsco::detail {

/// How long to look for bytes before going to sleep. Spinning that finds something earns a longer budget, spinning in vain a
/// shorter one, and after many misses in a row it is only tried now and then: two programs that share a processor would
/// otherwise keep each other from the very thing they wait for.
class spin_budget {
 public:
  static constexpr unsigned misses_to_give_up = 8;
  static constexpr unsigned probe_every = 256;
  static constexpr int smallest_part = 16;  // of the maximum

  spin_budget(duration longest, unsigned processors) noexcept
      : longest_(processors > 1 ? std::max(longest, duration::zero()) : duration::zero()), current_(longest_) {}

  [[nodiscard]] bool enabled() const noexcept { return longest_ > duration::zero(); }
  /// For how long to spin this time; 0: not at all.
  [[nodiscard]] duration next() noexcept {
    if (misses_ < misses_to_give_up) return current_;
    if (++since_probe_ < probe_every) return duration::zero();
    since_probe_ = 0;
    // A probe looks for as long as it may: a short one would never find that spinning pays again.
    return longest_;
  }
  void hit() noexcept {
    misses_ = 0;
    since_probe_ = 0;
    current_ = std::min(longest_, current_ * 2);
  }
  void missed() noexcept {
    if (misses_ < misses_to_give_up) ++misses_;
    current_ = std::max(longest_ / smallest_part, current_ / 2);
  }

 private:
  duration longest_;
  duration current_;
  unsigned misses_ = 0;
  unsigned since_probe_ = 0;
};

}  // namespace rdsco::detail
