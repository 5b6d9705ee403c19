// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "measurement.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

namespace rdsco::bench {

using steady = std::chrono::steady_clock;

/// Time of many equal things.
class stopwatch {
 public:
  void start() noexcept { begun_ = steady::now(); }
  [[nodiscard]] double ns() const noexcept { return std::chrono::duration<double, std::nano>(steady::now() - begun_).count(); }

 private:
  steady::time_point begun_ = steady::now();
};

/// Computes, as far as the kernel can tell, for a while.
inline void keep_busy(std::chrono::nanoseconds length) noexcept {
  if (length.count() == 0) return;
  auto const end = steady::now() + length;
  while (steady::now() < end) {
  }
}

/// Times every round trip, unless nobody wants to know. The first `warmup` are left out.
class laps {
 public:
  explicit laps(request const& asked) : warmup_(asked.warmup), silence_(asked.silence), timed_(asked.timed) {
    taken_.reserve(asked.count + asked.warmup);
  }

  void begin() noexcept {
    keep_busy(silence_);
    if (timed_) begun_ = steady::now();
  }
  void end() {
    if (timed_) taken_.push_back(std::chrono::duration<float, std::nano>(steady::now() - begun_).count());
  }

  [[nodiscard]] figures result() {
    std::vector<float> timed(taken_.begin() + static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(warmup_, taken_.size())), taken_.end());
    if (timed.empty()) return {};
    std::sort(timed.begin(), timed.end());
    double sum = 0;
    for (float each : timed) sum += static_cast<double>(each);
    return {{"p50_ns", timed[timed.size() / 2]}, {"p99_ns", timed[timed.size() * 99 / 100]}, {"mean_ns", sum / static_cast<double>(timed.size())}};
  }

 private:
  std::uint64_t warmup_;
  std::chrono::nanoseconds silence_;
  bool timed_;
  steady::time_point begun_;
  std::vector<float> taken_;
};

}  // namespace rdsco::bench
