// SPDX-License-Identifier: BSD-2-Clause
#include "loop/system_sources.hpp"

#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <bit>
#include <new>

namespace rdsco::detail {
namespace {

std::int64_t read_clock(clockid_t which) noexcept {
  timespec value{};
  ::clock_gettime(which, &value);
  return std::int64_t{value.tv_sec} * 1'000'000'000 + value.tv_nsec;
}

}  // namespace

time_point system_clock::now() noexcept { return time_point(duration(read_clock(CLOCK_MONOTONIC))); }
std::int64_t system_clock::wall_time_ns() noexcept { return read_clock(CLOCK_REALTIME); }

system_random::system_random() noexcept {
  if (::getrandom(state_.data(), sizeof state_, 0) != ssize_t{sizeof state_})
    state_[0] = static_cast<std::uint64_t>(read_clock(CLOCK_REALTIME)) | 1;
}

std::uint64_t system_random::next() noexcept {
  std::uint64_t const value = std::rotl(state_[1] * 5, 7) * 9;
  std::uint64_t const shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return value;
}

void* heap_memory::allocate(std::size_t bytes) noexcept { return ::operator new(bytes, std::nothrow); }
void heap_memory::release(void* memory, std::size_t) noexcept { ::operator delete(memory); }

// Not those this thread may run on: one that is pinned to a processor of its own gains most from spinning.
unsigned online_processors() noexcept {
  long const count = ::sysconf(_SC_NPROCESSORS_ONLN);
  return count > 0 ? static_cast<unsigned>(count) : 1;
}

}  // namespace rdsco::detail
