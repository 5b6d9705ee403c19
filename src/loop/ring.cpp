// SPDX-License-Identifier: BSD-2-Clause
#include "loop/ring.hpp"

#include "loop/ring_error.hpp"
#include "loop/ring_flags.hpp"

#include <rdsco/detail/check.hpp>

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace rdsco::detail {
namespace {

constexpr std::size_t batch = 64;

__kernel_timespec to_timespec(duration value) noexcept {
  __kernel_timespec out{};
  out.tv_sec = value.count() / 1'000'000'000;
  out.tv_nsec = value.count() % 1'000'000'000;
  return out;
}

}  // namespace

ring::ring(unsigned entries, unsigned completion_entries, backend_counters& counters) : counters_(counters) {
  int const outcome = probe_ring_flags([&](unsigned flags) {
    io_uring_params parameters{};
    parameters.flags = flags;
    parameters.cq_entries = std::max(completion_entries, entries);
    return io_uring_queue_init_params(entries, &ring_, &parameters);
  });
  if (outcome < 0) throw_ring_error(-outcome);
  if ((ring_.features & ring_features_needed) != ring_features_needed) {
    io_uring_queue_exit(&ring_);
    throw_ring_error(EINVAL);
  }
}

ring::~ring() { io_uring_queue_exit(&ring_); }

void ring::enable() noexcept {
  if (enabled_) return;
  enabled_ = true;
  long const outcome = ::syscall(__NR_io_uring_register, ring_.ring_fd, IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
  RDSCO_CHECK(outcome == 0, "io_uring could not be enabled");
  // Saves looking the descriptor up in every call; kernels before 5.18 go without.
  (void)io_uring_register_ring_fd(&ring_);
}

void ring::check(int outcome) const noexcept {
  // EAGAIN, EBUSY, EINTR and ETIME are passing states: the loop comes back next turn.
  RDSCO_CHECK(outcome != -EEXIST, "a loop was run from two threads");
  RDSCO_CHECK(outcome != -EBADR && *ring_.cq.koverflow == 0, "io_uring lost completions");
}

io_uring_sqe* ring::next_entry() noexcept {
  if (io_uring_sqe* const entry = io_uring_get_sqe(&ring_)) return entry;
  submit();
  return io_uring_get_sqe(&ring_);
}

void ring::submit() noexcept {
  enable();
  ++counters_.system_calls;
  check(io_uring_submit(&ring_));
}

void ring::wait(std::optional<duration> timeout) noexcept {
  enable();
  __kernel_timespec limit{};
  if (timeout) limit = to_timespec(*timeout);
  io_uring_cqe* first = nullptr;
  ++counters_.system_calls;
  ++counters_.waits;
  check(io_uring_submit_and_wait_timeout(&ring_, &first, 1, timeout ? &limit : nullptr, nullptr));
}

bool ring::kernel_has_more() const noexcept {
  unsigned const flags = IO_URING_READ_ONCE(*ring_.sq.kflags);
  if ((ring_.flags & IORING_SETUP_TASKRUN_FLAG) != 0) return (flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
  return (flags & IORING_SQ_CQ_OVERFLOW) != 0;
}

void ring::collect() noexcept {
  if (!enabled_ || !kernel_has_more()) return;
  if (io_uring_cq_has_overflow(&ring_)) ++counters_.overflows;
  ++counters_.system_calls;
  check(io_uring_get_events(&ring_));
}

std::size_t ring::take(std::span<ring_completion> into) noexcept {
  std::array<io_uring_cqe*, batch> found;
  unsigned const count = io_uring_peek_batch_cqe(&ring_, found.data(), static_cast<unsigned>(std::min(into.size(), batch)));
  for (unsigned i = 0; i < count; ++i) into[i] = ring_completion{found[i]->user_data, found[i]->res, found[i]->flags};
  io_uring_cq_advance(&ring_, count);
  return count;
}

bool ring::has_completions() noexcept { return io_uring_cq_ready(&ring_) != 0 || kernel_has_more(); }

int ring::register_buffer_ring(io_uring_buf_reg& registration) noexcept {
  enable();
  ++counters_.system_calls;
  return io_uring_register_buf_ring(&ring_, &registration, 0);
}

int ring::register_event_descriptor(int descriptor) noexcept {
  enable();
  ++counters_.system_calls;
  return io_uring_register_eventfd(&ring_, descriptor);
}

}  // namespace rdsco::detail
