// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/detail/seams.hpp>

#include <algorithm>
#include <cstdint>

namespace rdsco::test {

/// Time that passes when told to.
class manual_clock final : public detail::clock_source {
 public:
  time_point now() noexcept override { return now_; }
  std::int64_t wall_time_ns() noexcept override { return wall_start_ns + now_.time_since_epoch().count(); }
  void advance(duration length) noexcept { now_ += length; }
  void advance_to(time_point when) noexcept { now_ = std::max(now_, when); }

  std::int64_t wall_start_ns = 1'700'000'000'000'000'000;

 private:
  time_point now_{std::chrono::hours(1)};
};

}  // namespace rdsco::test
