// SPDX-License-Identifier: BSD-2-Clause
#include "usage.hpp"

#include <linux/perf_event.h>
#include <malloc.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <fstream>

namespace {

std::atomic<std::uint64_t> allocation_count{0};

void count_one() noexcept { allocation_count.fetch_add(1, std::memory_order_relaxed); }

}  // namespace

// glibc's own entry points: replacing malloc() catches operator new, C libraries and our pools alike.
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);

void* malloc(std::size_t bytes) {
  count_one();
  return __libc_malloc(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) {
  count_one();
  return __libc_calloc(count, bytes);
}
void* realloc(void* memory, std::size_t bytes) {
  count_one();
  return __libc_realloc(memory, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  count_one();
  return __libc_memalign(alignment, bytes);
}
void* memalign(std::size_t alignment, std::size_t bytes) { return aligned_alloc(alignment, bytes); }
int posix_memalign(void** memory, std::size_t alignment, std::size_t bytes) {
  *memory = aligned_alloc(alignment, bytes);
  return *memory == nullptr ? ENOMEM : 0;
}
void free(void* memory) { __libc_free(memory); }
}

namespace rdsco::bench {

std::uint64_t allocations() noexcept { return allocation_count.load(std::memory_order_relaxed); }

std::uint64_t heap_bytes() noexcept {
  struct mallinfo2 const now = ::mallinfo2();
  return now.uordblks + now.hblkhd;
}

system_call_counter::system_call_counter() {
  std::ifstream number("/sys/kernel/tracing/events/raw_syscalls/sys_enter/id");
  std::uint64_t id = 0;
  if (!(number >> id)) return;
  perf_event_attr wanted;
  std::memset(&wanted, 0, sizeof wanted);
  wanted.size = sizeof wanted;
  wanted.type = PERF_TYPE_TRACEPOINT;
  wanted.config = id;
  descriptor_ = static_cast<int>(::syscall(SYS_perf_event_open, &wanted, 0, -1, -1, PERF_FLAG_FD_CLOEXEC));
}

system_call_counter::~system_call_counter() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::optional<std::uint64_t> system_call_counter::value() const noexcept {
  std::uint64_t count = 0;
  if (descriptor_ < 0 || ::read(descriptor_, &count, sizeof count) != sizeof count) return std::nullopt;
  return count;
}

void usage::start() noexcept {
  allocations_ = allocations();
  calls_ = system_calls_.value();
}

void usage::add_to(figures& found, std::string const& prefix, std::uint64_t messages) const {
  auto const calls = system_calls_.value();
  auto const each = static_cast<double>(messages);
  found[prefix + "allocations"] = static_cast<double>(allocations() - allocations_) / each;
  if (calls && calls_) found[prefix + "system_calls"] = static_cast<double>(*calls - *calls_) / each;
}

}  // namespace rdsco::bench
