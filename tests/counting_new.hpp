// SPDX-License-Identifier: BSD-2-Clause
#pragma once

// Replaces operator new by one that counts. To be included in exactly one source of a program, which then has a single thread or
// does not mind that the count includes all of them. Every form is replaced: a sanitizer objects to a mixture of its own and ours.
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace rdsco::test {

inline std::atomic<std::size_t> allocation_count{0};

/// So many more allocations succeed; by default all do.
inline std::atomic<std::size_t> allocations_left{~std::size_t{0}};

inline std::size_t allocations() noexcept { return allocation_count.load(std::memory_order_relaxed); }

inline void* count_and_allocate(std::size_t size, std::size_t alignment) noexcept {
  allocation_count.fetch_add(1, std::memory_order_relaxed);
  if (std::size_t const left = allocations_left.load(std::memory_order_relaxed); left != ~std::size_t{0}) {
    if (left == 0) return nullptr;
    allocations_left.store(left - 1, std::memory_order_relaxed);
  }
  size = size == 0 ? alignment : (size + alignment - 1) / alignment * alignment;
  return alignment <= alignof(std::max_align_t) ? std::malloc(size) : std::aligned_alloc(alignment, size);
}

inline void* allocate_or_throw(std::size_t size, std::size_t alignment = alignof(std::max_align_t)) {
  if (void* const memory = count_and_allocate(size, alignment)) return memory;
  throw std::bad_alloc{};
}

}  // namespace rdsco::test

void* operator new(std::size_t size) { return rdsco::test::allocate_or_throw(size); }
void* operator new[](std::size_t size) { return rdsco::test::allocate_or_throw(size); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return rdsco::test::allocate_or_throw(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return rdsco::test::allocate_or_throw(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, std::nothrow_t const&) noexcept {
  return rdsco::test::count_and_allocate(size, alignof(std::max_align_t));
}
void* operator new[](std::size_t size, std::nothrow_t const&) noexcept {
  return rdsco::test::count_and_allocate(size, alignof(std::max_align_t));
}
void* operator new(std::size_t size, std::align_val_t alignment, std::nothrow_t const&) noexcept {
  return rdsco::test::count_and_allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment, std::nothrow_t const&) noexcept {
  return rdsco::test::count_and_allocate(size, static_cast<std::size_t>(alignment));
}

void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::nothrow_t const&) noexcept { std::free(memory); }
void operator delete[](void* memory, std::nothrow_t const&) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t, std::nothrow_t const&) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t, std::nothrow_t const&) noexcept { std::free(memory); }
