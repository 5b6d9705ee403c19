// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/detail/seams.hpp>

#include <cstddef>
#include <cstdlib>

namespace rdsco::test {

/// The system's memory, until a test says that there is no more of it.
class refusing_memory final : public detail::memory_source {
 public:
  void* allocate(std::size_t bytes) noexcept override { return bytes > largest ? nullptr : std::malloc(bytes); }
  void release(void* memory, std::size_t) noexcept override { std::free(memory); }

  std::size_t largest = ~std::size_t{0};  ///< what is larger is refused
};

}  // namespace rdsco::test
