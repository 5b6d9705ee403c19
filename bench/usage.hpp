// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "measurement.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace rdsco::bench {

/// Allocations of this process since it began, counted at malloc(): those of every library in it.
[[nodiscard]] std::uint64_t allocations() noexcept;
/// Bytes that this process has from malloc(), its overhead included.
[[nodiscard]] std::uint64_t heap_bytes() noexcept;

/// Counts the system calls of this thread, all of them or those of one number, where the kernel sees them. Without the right
/// to use its tracepoints there is no value.
class system_call_counter {
 public:
  explicit system_call_counter(std::optional<long> number = std::nullopt);
  system_call_counter(system_call_counter const&) = delete;
  system_call_counter& operator=(system_call_counter const&) = delete;
  ~system_call_counter();
  [[nodiscard]] std::optional<std::uint64_t> value() const noexcept;

 private:
  int descriptor_ = -1;
};

/// What this thread uses between two moments.
class usage {
 public:
  usage();
  void start() noexcept;
  /// Adds PREFIX + "allocations", "system_calls" and, of those, "ring_calls" (io_uring_enter) for each of `messages`, as far as
  /// they can be counted.
  void add_to(figures& found, std::string const& prefix, std::uint64_t messages) const;

 private:
  system_call_counter system_calls_;
  system_call_counter ring_calls_;
  std::uint64_t allocations_ = 0;
  std::optional<std::uint64_t> calls_at_start_;
  std::optional<std::uint64_t> ring_calls_at_start_;
};

}  // namespace rdsco::bench
