// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "loop/acknowledgement_tracker.hpp"
#include "loop/receive_buffers.hpp"
#include "loop/ring.hpp"
#include "loop/ring_slots.hpp"
#include "loop/wake_descriptor.hpp"

#include <rdsco/detail/io_backend.hpp>
#include <rdsco/loop.hpp>

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

namespace rdsco::detail {

/// The backend on Linux's io_uring. uring_backend.cpp starts operations, uring_completions.cpp ends them, uring_wait.cpp
/// waits, for loops and for embedding programs.
class uring_backend final : public io_backend {
 public:
  explicit uring_backend(loop_options const& options);
  ~uring_backend() override;

  int listen(endpoint const& local, int backlog, io_handle& out) noexcept override;
  void accept(io_handle listener, stream_tuning const& tuning, accept_operation& operation) noexcept override;
  int open_stream(address const& local, stream_tuning const& tuning, io_handle& out) noexcept override;
  void connect(io_handle stream, endpoint const& peer, io_operation& operation) noexcept override;
  std::ptrdiff_t try_send(io_handle stream, std::span<const_buffer const> from) noexcept override;
  void send(io_handle stream, send_operation& operation) noexcept override;
  std::ptrdiff_t try_receive(io_handle stream, std::span<mutable_buffer const> into) noexcept override;
  void receive(io_handle stream, receive_operation& operation) noexcept override;
  void release_received(receive_operation& operation) noexcept override;
  void wait_ready(io_handle handle, readiness what, io_operation& operation) noexcept override;
  void watch(io_handle handle, readiness what, watch_operation& operation) noexcept override;
  std::size_t unread(io_handle stream) noexcept override;
  std::optional<std::size_t> unacknowledged(io_handle stream) noexcept override;
  bool enable_acknowledgement_events(io_handle stream) noexcept override;
  std::optional<std::uint64_t> next_acknowledgement(io_handle stream) noexcept override;
  std::pair<endpoint, endpoint> ends(io_handle handle) noexcept override;
  int shutdown_send(io_handle stream) noexcept override;
  void close(io_handle handle, bool reset) noexcept override;
  io_handle adopt(int descriptor) noexcept override;
  void cancel(io_operation& operation) noexcept override;

  [[nodiscard]] bool has_submissions() const noexcept override;
  bool poll_completions() noexcept override;
  void wait(std::optional<duration> timeout) noexcept override;
  void wake() noexcept override;
  int wait_fd() noexcept override;
  void arm_wait_fd(std::optional<time_point> deadline, time_point now, bool work_left) noexcept override;
  [[nodiscard]] bool can_spin() const noexcept override { return true; }
  [[nodiscard]] std::size_t operations_in_flight() const noexcept override { return slots_.in_use(); }
  [[nodiscard]] backend_counters const& counters() const noexcept override { return counters_; }

 private:
  struct descriptor_state {
    unsigned in_flight = 0;
    bool adopted = false;
    acknowledgement_tracker acknowledgements;
  };

  // starting
  ring_slot& begin(io_operation& operation, slot_kind kind, io_handle handle) noexcept;
  void start(ring_slot& slot) noexcept;
  void prepare(ring_slot& slot, io_uring_sqe& entry) noexcept;
  void prepare_message(ring_slot& slot, io_uring_sqe& entry) noexcept;
  void prepare_lent(ring_slot& slot, io_uring_sqe& entry) noexcept;
  void start_cancel(ring_tag target) noexcept;
  void retry_deferred() noexcept;
  [[nodiscard]] descriptor_state& state_of(int descriptor) noexcept;
  [[nodiscard]] io_handle own(int descriptor) noexcept;
  [[nodiscard]] static ring_tag tag_of(ring_slot const& slot) noexcept;

  // ending
  void complete(ring_completion const& one) noexcept;
  void complete_slot(ring_slot& slot, ring_completion const& one) noexcept;
  void complete_watch(ring_slot& slot, ring_completion const& one) noexcept;
  void complete_lent(ring_slot& slot, ring_completion const& one) noexcept;
  void lend(ring_slot& slot, std::uint16_t buffer, std::int32_t bytes) noexcept;
  void receive_by_hand(ring_slot& slot) noexcept;
  void starve(ring_slot& slot) noexcept;
  [[nodiscard]] bool can_feed() const noexcept { return !starved_.empty() && !buffers_.all_lent(); }
  void feed_starved() noexcept;
  void end_later(ring_slot& slot, std::int32_t result) noexcept;
  bool complete_ended() noexcept;
  void finish(ring_slot& slot, std::int32_t result) noexcept;
  void take_stream(ring_slot& slot, int descriptor) noexcept;

  // waiting
  void arm_wake() noexcept;
  void woken(bool armed_still) noexcept;
  void arm_deadline(time_point deadline, time_point now) noexcept;
  void drop_deadline() noexcept;

  backend_counters counters_;
  wake_descriptor wake_;  // before the ring: the ring's poll of it ends first
  ring ring_;
  ring_slots slots_;
  receive_buffers buffers_;
  std::vector<descriptor_state> descriptors_;  // by number
  std::vector<ring_tag> deferred_;             // submissions that found no room
  std::vector<ring_tag> cancels_;              // cancels that found no room, or came while the kernel was busy with the target
  std::vector<ring_tag> starved_;              // oldest first
  std::vector<ring_tag> ended_;
  std::vector<ring_tag> ending_;               // being completed
  bool wake_armed_ = false;
  std::optional<wake_descriptor> embedded_;
  std::atomic<int> embedded_descriptor_{-1};   // the same, for other threads
  std::optional<time_point> deadline_;         // what the ring's timeout is set to
  std::uint32_t deadline_generation_ = 0;
  __kernel_timespec deadline_limit_{};
};

[[nodiscard]] std::unique_ptr<io_backend> make_uring_backend(loop_options const& options);

}  // namespace rdsco::detail
