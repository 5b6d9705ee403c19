// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <chrono>
#include <cstdint>

namespace rdsco {

/// The time line of a loop. It has no now() of its own: ask the loop, whose clock may be a virtual one.
struct monotonic {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<monotonic, duration>;
  static constexpr bool is_steady = true;
};

using duration = monotonic::duration;
using time_point = monotonic::time_point;

}  // namespace rdsco
