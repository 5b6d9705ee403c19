// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/clock.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace rdsco::detail {

/// A deadline on a loop. Lifetime: cancelled before it dies, unless it expired.
struct timer {
  static constexpr std::size_t not_armed = ~std::size_t{0};

  time_point when{};
  void (*expired)(timer&) noexcept = nullptr;
  std::size_t index = not_armed;  ///< place in the heap

  timer() noexcept = default;
  explicit timer(void (*function)(timer&) noexcept) noexcept : expired(function) {}
  timer(timer const&) = delete;
  timer& operator=(timer const&) = delete;

  [[nodiscard]] bool armed() const noexcept { return index != not_armed; }
};

/// Binary heap of timers. Of equal deadlines the one armed first expires first.
class timer_heap {
 public:
  [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }
  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
  [[nodiscard]] std::optional<time_point> next_deadline() const noexcept;

  void add(timer& value) noexcept;     ///< an armed timer moves to its new deadline
  void remove(timer& value) noexcept;  ///< does nothing when not armed
  /// Expires what is due at `now`; a timer armed meanwhile waits for the next call, so this ends. Returns how many expired.
  std::size_t expire(time_point now) noexcept;

 private:
  struct entry {
    time_point when;
    std::uint64_t sequence;
    timer* value;
    [[nodiscard]] bool before(entry const& other) const noexcept {
      return when != other.when ? when < other.when : sequence < other.sequence;
    }
  };
  void place(std::size_t at, entry const& value) noexcept;
  void sift_up(std::size_t at, entry value) noexcept;
  void sift_down(std::size_t at, entry value) noexcept;

  std::vector<entry> entries_;
  std::uint64_t next_sequence_ = 0;
};

}  // namespace rdsco::detail
