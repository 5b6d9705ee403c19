// SPDX-License-Identifier: BSD-2-Clause
#include "verbs/region.hpp"

#include <cerrno>

#include <sys/mman.h>

namespace rdsco::verbs {

// Pages of its own: an adapter pins whole pages, and a fork must not share them.
int owned_region::open(ibv_pd* domain, std::size_t bytes, int access) noexcept {
  void* const mapped = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return -errno;
  memory_ = static_cast<std::byte*>(mapped);
  bytes_ = bytes;
  static_cast<void>(::madvise(mapped, bytes, MADV_DONTFORK));
  int const failed = api_.register_memory(domain, memory_, bytes, access, region_);
  if (failed != 0) close();
  return failed;
}

void owned_region::close() noexcept {
  if (region_ != nullptr) static_cast<void>(api_.deregister_memory(region_));
  if (memory_ != nullptr) ::munmap(memory_, bytes_);
  region_ = nullptr;
  memory_ = nullptr;
}

}  // namespace rdsco::verbs
