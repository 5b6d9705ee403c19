// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/detail/seams.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace rdsco::detail {

class system_clock final : public clock_source {
 public:
  time_point now() noexcept override;
  std::int64_t wall_time_ns() noexcept override;
};

/// xoshiro256**, seeded by the kernel. Not for secrets.
class system_random final : public random_source {
 public:
  system_random() noexcept;
  std::uint64_t next() noexcept override;

 private:
  std::array<std::uint64_t, 4> state_{};
};

class heap_memory final : public memory_source {
 public:
  void* allocate(std::size_t bytes) noexcept override;
  void release(void* memory, std::size_t bytes) noexcept override;
};

/// What a loop uses where its seams are null.
struct system_sources {
  system_clock clock;
  system_random random;
  heap_memory memory;
};

/// Processors of this machine.
[[nodiscard]] unsigned online_processors() noexcept;

}  // namespace rdsco::detail
