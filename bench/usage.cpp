// SPDX-License-Identifier: BSD-2-Clause
#include "usage.hpp"

#include <linux/perf_event.h>
#include <malloc.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <fstream>
#include <string>

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

system_call_counter::system_call_counter(std::optional<long> number) {
  std::ifstream tracepoint("/sys/kernel/tracing/events/raw_syscalls/sys_enter/id");
  std::uint64_t id = 0;
  if (!(tracepoint >> id)) return;
  perf_event_attr wanted;
  std::memset(&wanted, 0, sizeof wanted);
  wanted.size = sizeof wanted;
  wanted.type = PERF_TYPE_TRACEPOINT;
  wanted.config = id;
  descriptor_ = static_cast<int>(::syscall(SYS_perf_event_open, &wanted, 0, -1, -1, PERF_FLAG_FD_CLOEXEC));
  if (descriptor_ < 0 || !number) return;
  std::string const filter = "id == " + std::to_string(*number);
  if (::ioctl(descriptor_, PERF_EVENT_IOC_SET_FILTER, filter.c_str()) == 0) return;
  ::close(descriptor_);
  descriptor_ = -1;
}

system_call_counter::~system_call_counter() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::optional<std::uint64_t> system_call_counter::value() const noexcept {
  std::uint64_t count = 0;
  if (descriptor_ < 0 || ::read(descriptor_, &count, sizeof count) != sizeof count) return std::nullopt;
  return count;
}

usage::usage() : ring_calls_(SYS_io_uring_enter) {}

void usage::start() noexcept {
  allocations_ = allocations();
  ring_calls_at_start_ = ring_calls_.value();
  calls_at_start_ = system_calls_.value();
}

void usage::add_to(figures& found, std::string const& prefix, std::uint64_t messages) const {
  auto const calls = system_calls_.value();
  auto const ring_calls = ring_calls_.value();
  auto const each = static_cast<double>(messages);
  auto const allocated = allocations() - allocations_;
  found[prefix + "allocations"] = static_cast<double>(allocated) / each;
  if (calls && calls_at_start_) found[prefix + "system_calls"] = static_cast<double>(*calls - *calls_at_start_) / each;
  if (ring_calls && ring_calls_at_start_) found[prefix + "ring_calls"] = static_cast<double>(*ring_calls - *ring_calls_at_start_) / each;
}

}  // namespace rdsco::bench
