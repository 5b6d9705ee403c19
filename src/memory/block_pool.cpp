// SPDX-License-Identifier: BSD-2-Clause
#include "memory/block_pool.hpp"

#include <cassert>
#include <cstdlib>
#include <new>

namespace rdsco::detail {

block_pool* block_pool::create(memory_source* source, std::size_t live_bytes_max) {
  return new block_pool(source, live_bytes_max);
}

block_pool::~block_pool() {
  for (std::size_t size_class = 0; size_class < class_count; ++size_class) {
    while (block* taken = free_[size_class]) {
      free_[size_class] = taken->next;
      to_source(taken, class_bytes(size_class));
    }
  }
}

std::size_t block_pool::class_of(std::size_t bytes) noexcept {
  if (bytes <= smallest) return 0;
  // `quarter` is the step between neighbouring classes of this doubling.
  std::size_t const doubling = std::bit_floor(bytes - 1);
  std::size_t const quarter = doubling / 4;
  std::size_t const step = (bytes - doubling + quarter - 1) / quarter;
  auto const doublings = static_cast<std::size_t>(std::countr_zero(doubling) - std::countr_zero(smallest));
  return doublings * 4 + step;
}

std::size_t block_pool::class_bytes(std::size_t size_class) noexcept {
  if (size_class == 0) return smallest;
  std::size_t const doubling = smallest << ((size_class - 1) / 4);
  return doubling + doubling / 4 * ((size_class - 1) % 4 + 1);
}

std::size_t block_pool::block_bytes(std::size_t bytes) noexcept { return class_bytes(class_of(bytes + sizeof(block))); }

void* block_pool::from_source(std::size_t bytes) noexcept {
  return source_ != nullptr ? source_->allocate(bytes) : std::malloc(bytes);
}

void block_pool::to_source(block* taken, std::size_t bytes) noexcept {
  if (source_ != nullptr) {
    source_->release(taken, bytes);
  } else {
    std::free(taken);
  }
}

void* block_pool::allocate(std::size_t bytes) noexcept {
  std::size_t const size_class = class_of(bytes + sizeof(block));
  if (size_class >= class_count) return ++counts_.refused, nullptr;
  std::size_t const taken_bytes = class_bytes(size_class);
  if (counts_.live_bytes + taken_bytes > live_bytes_max_) return ++counts_.refused, nullptr;
  block* taken = free_[size_class];
  if (taken != nullptr) {
    free_[size_class] = taken->next;
    free_bytes_[size_class] -= taken_bytes;
    counts_.retained_bytes -= taken_bytes;
  } else {
    void* const memory = from_source(taken_bytes);
    if (memory == nullptr) return ++counts_.refused, nullptr;
    ++counts_.misses;
    taken = ::new (memory) block{this, static_cast<std::uint32_t>(size_class), nullptr};
  }
  ++counts_.live_blocks;
  counts_.live_bytes += taken_bytes;
  return taken + 1;
}

void block_pool::release(void* memory) noexcept {
  block* const taken = static_cast<block*>(memory) - 1;
  assert(taken->pool == this);
  std::size_t const taken_bytes = class_bytes(taken->size_class);
  --counts_.live_blocks;
  counts_.live_bytes -= taken_bytes;
  if (!abandoned_ && free_bytes_[taken->size_class] + taken_bytes <= retained_bytes_max_per_class) {
    taken->next = free_[taken->size_class];
    free_[taken->size_class] = taken;
    free_bytes_[taken->size_class] += taken_bytes;
    counts_.retained_bytes += taken_bytes;
    return;
  }
  to_source(taken, taken_bytes);
  if (abandoned_ && counts_.live_blocks == 0) delete this;
}

void block_pool::abandon() noexcept {
  abandoned_ = true;
  if (counts_.live_blocks == 0) delete this;
}

}  // namespace rdsco::detail
