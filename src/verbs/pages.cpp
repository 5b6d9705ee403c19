// SPDX-License-Identifier: BSD-2-Clause
#include "verbs/pages.hpp"

#include <atomic>
#include <cstdint>
#include <sys/mman.h>
#include <unistd.h>

namespace rdsco::verbs {

namespace {

#ifdef MADV_POPULATE_WRITE
constexpr int populate_write = MADV_POPULATE_WRITE;
#else
constexpr int populate_write = 23;
#endif

std::size_t page_bytes() noexcept {
  static std::size_t const bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

std::byte* page_of(std::byte* at) noexcept { return at - reinterpret_cast<std::uintptr_t>(at) % page_bytes(); }

// Of no bytes nothing is done, but only by a kernel that knows what was asked.
bool kernel_populates(std::byte* page) noexcept {
  static bool const known = ::madvise(page, 0, populate_write) == 0;
  return known;
}

}  // namespace

void populate(std::span<std::byte> memory) noexcept {
  if (memory.empty()) return;
  std::byte* const first = page_of(memory.data());
  if (!kernel_populates(first)) return touch(memory);
  static_cast<void>(::madvise(first, static_cast<std::size_t>(memory.data() + memory.size() - first), populate_write));
}

// A write that changes nothing, and takes back nothing that another thread writes at the same time. Compilers make a read of it where
// they know that it changes nothing.
void touch(std::span<std::byte> memory) noexcept {
  unsigned char const volatile nothing = 0;
  std::byte* const end = memory.data() + memory.size();
  for (std::byte* at = memory.data(); at < end; at = page_of(at) + page_bytes())
    std::atomic_ref(reinterpret_cast<unsigned char&>(*at)).fetch_or(nothing, std::memory_order_relaxed);
}

}  // namespace rdsco::verbs
