// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/clock.hpp>
#include <rdsco/detail/io_backend.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace rdsco::detail {

class clock_source {
 public:
  virtual ~clock_source() = default;
  virtual time_point now() noexcept = 0;
  virtual std::int64_t wall_time_ns() noexcept = 0;  ///< since 1970; may jump
};

class random_source {
 public:
  virtual ~random_source() = default;
  virtual std::uint64_t next() noexcept = 0;
};

/// Large and long-lived memory of a node; a frame of a coroutine comes from the frame pool instead.
class memory_source {
 public:
  virtual ~memory_source() = default;
  /// nullptr: refused, by a limit or a fault. Aligned for anything.
  virtual void* allocate(std::size_t bytes) noexcept = 0;
  virtual void release(void* memory, std::size_t bytes) noexcept = 0;
};

/// Which of the ready items runs next; 0 is the oldest.
class ready_policy {
 public:
  virtual ~ready_policy() = default;
  virtual std::size_t choose(std::size_t ready_count) noexcept = 0;
};

/// Where a loop meets the world. What is null is the system's own.
/// Lifetime: what is pointed to outlives the loop.
struct seams {
  std::unique_ptr<io_backend> io;
  clock_source* clock = nullptr;
  random_source* random = nullptr;
  memory_source* memory = nullptr;
  ready_policy* policy = nullptr;  ///< null: first in first out

  seams() noexcept = default;
  explicit seams(std::unique_ptr<io_backend> backend, clock_source* time = nullptr) noexcept
      : io(std::move(backend)), clock(time) {}
};

}  // namespace rdsco::detail
