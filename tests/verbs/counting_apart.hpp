// SPDX-License-Identifier: BSD-2-Clause
#pragma once

// What nodes on fake adapters allocate, without what the adapters do. Included, as counting_new.hpp, in one source of a program.
#include "counting_new.hpp"
#include "node/node_core.hpp"
#include "verbs/fake_nodes.hpp"

#include <cstddef>
#include <cstdint>

namespace rdsco::test {

inline std::size_t of_the_fake = 0;

/// For fake_fabric::outside.
inline void count_apart(bool begins) noexcept {
  static std::size_t before = 0;
  if (begins)
    before = allocations();
  else
    of_the_fake += allocations() - before;
}
inline std::size_t of_the_node() noexcept { return allocations() - of_the_fake; }

inline std::uint64_t fresh_blocks(two_on_fabric& w) { return w.near.core().pool->now().misses + w.far.core().pool->now().misses; }

}  // namespace rdsco::test
