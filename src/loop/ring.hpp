// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/clock.hpp>
#include <rdsco/detail/io_backend.hpp>

#include <liburing.h>

#include <cstdint>
#include <optional>
#include <span>

namespace rdsco::detail {

/// One completion, copied out of the queue.
struct ring_completion {
  std::uint64_t user_data;
  std::int32_t result;
  std::uint32_t flags;
};

/// An io_uring of one thread: made anywhere, issued by the thread that first submits.
class ring {
 public:
  /// Errors: throws std::system_error, see ring_error_text().
  ring(unsigned entries, unsigned completion_entries, backend_counters& counters);
  ring(ring const&) = delete;
  ring& operator=(ring const&) = delete;
  ~ring();

  /// A free submission entry, submitting to make room if need be; nullptr when the kernel takes nothing at the moment.
  [[nodiscard]] io_uring_sqe* next_entry() noexcept;
  [[nodiscard]] bool has_submissions() const noexcept { return io_uring_sq_ready(&ring_) != 0; }
  void submit() noexcept;
  /// Submits, and waits for a completion until `timeout`.
  void wait(std::optional<duration> timeout) noexcept;
  /// Runs in the kernel what has ended but not been queued yet; without a system call when there is nothing of that kind.
  void collect() noexcept;
  /// Takes completions out of the queue; no system call.
  [[nodiscard]] std::size_t take(std::span<ring_completion> into) noexcept;
  [[nodiscard]] bool has_completions() noexcept;

  [[nodiscard]] int register_buffer_ring(io_uring_buf_reg& registration) noexcept;
  [[nodiscard]] int register_event_descriptor(int descriptor) noexcept;
  /// Makes the calling thread the issuer, unless there is one.
  void enable() noexcept;
  [[nodiscard]] unsigned flags() const noexcept { return ring_.flags; }

 private:
  [[nodiscard]] bool kernel_has_more() const noexcept;
  void check(int outcome) const noexcept;

  io_uring ring_{};
  backend_counters& counters_;
  bool enabled_ = false;
};

}  // namespace rdsco::detail
