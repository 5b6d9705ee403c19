// SPDX-License-Identifier: BSD-2-Clause
#include "memory/block_pool.hpp"

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
      to_source(taken, class_bytes_[size_class]);
    }
  }
}

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

void* block_pool::allocate_slowly(std::size_t bytes) noexcept {
  std::size_t const size_class = class_of(bytes + sizeof(block));
  if (size_class >= class_count) return ++counts_.refused, nullptr;
  std::size_t const taken_bytes = class_bytes_[size_class];
  if (counts_.live_bytes + taken_bytes > live_bytes_max_) return ++counts_.refused, nullptr;
  void* const memory = from_source(taken_bytes);
  if (memory == nullptr) return ++counts_.refused, nullptr;
  ++counts_.misses;
  ++counts_.live_blocks;
  counts_.live_bytes += taken_bytes;
  return ::new (memory) block{this, size_class, nullptr} + 1;
}

void block_pool::release_slowly(block* taken) noexcept {
  to_source(taken, class_bytes_[taken->size_class]);
  if (abandoned_ && counts_.live_blocks == 0) delete this;
}

void block_pool::abandon() noexcept {
  abandoned_ = true;
  if (counts_.live_blocks == 0) delete this;
}

}  // namespace rdsco::detail
