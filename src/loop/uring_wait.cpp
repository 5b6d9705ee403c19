// SPDX-License-Identifier: BSD-2-Clause
#include "loop/uring_backend.hpp"

#include <poll.h>
#include <sys/eventfd.h>

#include <system_error>

namespace rdsco::detail {

bool uring_backend::has_submissions() const noexcept {
  return ring_.has_submissions() || !deferred_.empty() || !cancels_.empty() || !wake_armed_ || can_feed();
}

void uring_backend::wait(std::optional<duration> timeout) noexcept {
  retry_deferred();
  feed_starved();
  if (!wake_armed_) arm_wake();
  if (!ended_.empty() || can_feed()) timeout = duration::zero();
  if (timeout != duration::zero()) return ring_.wait(timeout);
  if (ring_.has_submissions()) ring_.submit();
}

void uring_backend::wake() noexcept {
  wake_.set();
  // The ring would tell the embedding program, but from inside a write to an eventfd the kernel defers that, and some kernels
  // (seen with 6.18) do so only once.
  int const embedded = embedded_descriptor_.load();
  if (embedded >= 0) (void)::eventfd_write(embedded, 1);
}

void uring_backend::arm_wake() noexcept {
  io_uring_sqe* const entry = ring_.next_entry();
  if (entry == nullptr) return;
  ++counters_.submissions;
  io_uring_prep_poll_multishot(entry, wake_.descriptor(), POLLIN);
  io_uring_sqe_set_data64(entry, ring_tag(0, 0, ring_purpose::wake).bits());
  wake_armed_ = true;
}

void uring_backend::woken(bool armed_still) noexcept {
  ++counters_.wakes;
  ++counters_.system_calls;
  wake_.clear();
  wake_armed_ = armed_still;
}

int uring_backend::wait_fd() noexcept {
  if (!embedded_) {
    try {
      embedded_.emplace();
    } catch (std::system_error const&) {
      return -1;
    }
    if (ring_.register_event_descriptor(embedded_->descriptor()) != 0) {
      embedded_.reset();
      return -1;
    }
    embedded_descriptor_.store(embedded_->descriptor());
    embedded_->set();  // whatever happened before is found by the first poll()
  }
  return embedded_->descriptor();
}

void uring_backend::arm_wait_fd(std::optional<time_point> deadline, time_point now, bool work_left) noexcept {
  if (!embedded_) return;
  if (deadline && !work_left) {
    if (*deadline <= now)
      work_left = true;
    else if (!deadline_ || *deadline < *deadline_)
      arm_deadline(*deadline, now);
  }
  // First reset the descriptor, then look: what ends in between sets it again.
  ++counters_.system_calls;
  embedded_->clear();
  if (work_left || !ended_.empty() || has_submissions() || ring_.has_completions()) embedded_->set();
}

void uring_backend::arm_deadline(time_point deadline, time_point now) noexcept {
  drop_deadline();
  io_uring_sqe* const entry = ring_.next_entry();
  if (entry == nullptr) return;  // has_submissions() keeps the descriptor readable until there is room
  auto const length = deadline - now;
  deadline_limit_.tv_sec = length.count() / 1'000'000'000;
  deadline_limit_.tv_nsec = length.count() % 1'000'000'000;
  io_uring_prep_timeout(entry, &deadline_limit_, 0, 0);
  io_uring_sqe_set_data64(entry, ring_tag(0, ++deadline_generation_, ring_purpose::deadline).bits());
  deadline_ = deadline;
  ring_.submit();
}

void uring_backend::drop_deadline() noexcept {
  if (!deadline_) return;
  io_uring_sqe* const entry = ring_.next_entry();
  if (entry == nullptr) return;  // the old timeout then rings once in vain
  io_uring_prep_timeout_remove(entry, ring_tag(0, deadline_generation_, ring_purpose::deadline).bits(), 0);
  io_uring_sqe_set_data64(entry, ring_tag(ring_tag::nobody, 0, ring_purpose::cancel).bits());
  deadline_.reset();
}

}  // namespace rdsco::detail
