// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace rdsco::tools {

/// Counts durations and tells percentiles, in memory of fixed size: each power of two is divided into 32 steps, so that an
/// answer is at most 1/32 too high, and never too low.
class percentiles {
 public:
  void add(std::uint64_t nanoseconds) noexcept {
    ++counts_[step_of(nanoseconds)];
    ++count_;
    sum_ += nanoseconds;
    max_ = std::max(max_, nanoseconds);
  }
  void add(percentiles const& other) noexcept {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    count_ += other.count_;
    sum_ += other.sum_;
    max_ = std::max(max_, other.max_);
  }

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] std::uint64_t max() const noexcept { return max_; }
  [[nodiscard]] double mean() const noexcept { return count_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(count_); }
  /// A value that `percent` of all are not above; 0 when there is none.
  [[nodiscard]] std::uint64_t at(double percent) const noexcept {
    auto const wanted = static_cast<std::uint64_t>(percent / 100 * static_cast<double>(count_) + 0.999999);
    std::uint64_t seen = 0;
    for (std::size_t step = 0; step < counts_.size(); ++step) {
      seen += counts_[step];
      if (seen >= wanted && seen > 0) return std::min(highest_of(step), max_);
    }
    return max_;
  }

 private:
  static constexpr unsigned bits = 5;
  static constexpr std::uint64_t steps = 1u << bits;

  // Below 64 each value has a step of its own; above, the leading six bits name it.
  [[nodiscard]] static std::size_t step_of(std::uint64_t value) noexcept {
    if (value < 2 * steps) return static_cast<std::size_t>(value);
    auto const shift = static_cast<unsigned>(std::bit_width(value)) - bits - 1;
    return static_cast<std::size_t>((std::uint64_t(shift) << bits) + (value >> shift));
  }
  [[nodiscard]] static std::uint64_t highest_of(std::size_t step) noexcept {
    if (step < 2 * steps) return step;
    auto const shift = static_cast<unsigned>(step >> bits) - 1;
    auto const leading = (step & (steps - 1)) + steps;
    return ((leading + 1) << shift) - 1;
  }

  std::array<std::uint64_t, (64 - bits + 1) * steps> counts_{};
  std::uint64_t count_ = 0, sum_ = 0, max_ = 0;
};

}  // namespace rdsco::tools
