// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/clock.hpp>
#include <rdsco/detail/frame_pool.hpp>
#include <rdsco/detail/intrusive_list.hpp>
#include <rdsco/detail/mailbox.hpp>
#include <rdsco/detail/ready.hpp>
#include <rdsco/detail/seams.hpp>
#include <rdsco/detail/timer.hpp>

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

namespace rdsco {

struct receive_buffer_options {
  unsigned count = 64;             ///< a power of two
  std::size_t bytes = 64 * 1024;   ///< of each
  receive_buffer_options() noexcept = default;
};

struct loop_options {
  unsigned ring_entries = 256;
  unsigned completion_entries = 4096;
  /// How long to look for expected bytes before going to sleep; 0: never. The time really spent adapts to what was found.
  std::chrono::nanoseconds spin_max = std::chrono::microseconds(50);
  /// Ready coroutines resumed before the kernel is asked again.
  unsigned ready_budget = 1024;
  receive_buffer_options receive_buffers;
  loop_options() noexcept = default;
};

struct loop_counters {
  std::uint64_t turns = 0;
  std::uint64_t waits = 0;        ///< turns that were allowed to block
  std::uint64_t resumed = 0;      ///< ready items run
  std::uint64_t timers = 0;       ///< timers expired
  std::uint64_t mail = 0;         ///< messages from other threads run
  std::uint64_t spins_hit = 0;
  std::uint64_t spins_missed = 0;
  std::uint64_t skipped = 0;      ///< turns that did not call the backend's wait at all
  loop_counters() noexcept = default;
};

namespace detail {

/// Somebody who can find bytes faster by asking than by being told.
class spinner : public list_hook<> {
 public:
  [[nodiscard]] virtual bool expecting() const noexcept = 0;  ///< bytes are expected soon
  virtual bool spin() noexcept = 0;                           ///< looks; true when it made something ready
  virtual void before_wait() noexcept = 0;                    ///< the loop goes to sleep: arm the receive
 protected:
  ~spinner() = default;
};

class spin_budget;
struct system_sources;

}  // namespace detail

/// Runs coroutines and their input and output on one thread.
/// Threads: everything from the thread that first ran it, except post(), stop() and the construction.
class loop {
 public:
  /// On io_uring. Errors: throws std::system_error whose text says what to do where io_uring cannot be used.
  explicit loop(loop_options const& options = loop_options());
  loop(loop_options const& options, detail::seams world);
  loop(loop const&) = delete;
  loop& operator=(loop const&) = delete;
  /// Nothing may be left: no operation in flight, nothing ready, no timer, no frame that was made on this loop.
  ~loop();

  /// Turns until stop().
  void run();
  /// Ends run() after the turn under way; before run(), makes the next run() return at once. Any thread.
  void stop() noexcept;
  /// One turn; waits when there is nothing to run. True when something was run.
  bool run_once();

  /// Embedding: one turn that never waits. Returns how many things were run.
  std::size_t poll();
  /// Embedding: readable when poll() has something to do, for timers too, and for as long as work is left over. Call poll()
  /// once before waiting on it; what the program does from outside poll() (spawn(), try_send_to()) counts from then on.
  /// -1 when the backend has none.
  int wait_fd();
  /// The nearest timer.
  [[nodiscard]] std::optional<time_point> next_deadline() const noexcept { return timers_.next_deadline(); }
  /// Something could run without waiting.
  [[nodiscard]] bool has_ready() const noexcept { return !ready_.empty() || !next_turn_.empty() || !mailbox_.empty(); }

  /// Runs `function` on the loop thread. Any thread.
  template <std::invocable F>
  void post(F function) {
    post(*new function_mail<F>(std::move(function)));
  }
  /// Does nothing when it is posted already. Any thread. Lifetime: until it ran or was withdrawn.
  void post(detail::mail& message) noexcept;
  void withdraw(detail::mail& message) noexcept { mailbox_.withdraw(message); }

  void make_ready(detail::ready_item& item) noexcept {
    ready_.push_back(item);
    show_work();
  }
  /// For what has had its share of this turn: it runs in the next one, after completions and timers were looked at.
  void make_ready_next_turn(detail::ready_item& item) noexcept {
    next_turn_.push_back(item);
    show_work();
  }
  /// Arms `value` for value.when; an armed one moves.
  void add_timer(detail::timer& value) noexcept {
    timers_.add(value);
    show_work();
  }
  void cancel_timer(detail::timer& value) noexcept { timers_.remove(value); }
  /// Read once a turn.
  [[nodiscard]] time_point now() const noexcept { return now_; }
  [[nodiscard]] std::int64_t wall_time_ns() const noexcept { return clock_->wall_time_ns(); }
  [[nodiscard]] std::uint64_t random() noexcept { return random_->next(); }
  [[nodiscard]] detail::io_backend& io() noexcept { return *io_; }
  /// What an embedding program begins between two poll()s makes wait_fd() readable. Within a turn there is no need.
  void show_work() noexcept {
    if (!in_turn_) notify();
  }
  [[nodiscard]] detail::memory_source& memory() noexcept { return *memory_; }
  void add_spinner(detail::spinner& value) noexcept { spinners_.push_back(value); }
  void remove_spinner(detail::spinner& value) noexcept { spinners_.remove(value); }

  /// Live frames made while this loop was running a turn.
  [[nodiscard]] std::size_t frames() const noexcept { return frames_.live(); }
  [[nodiscard]] loop_counters const& counters() const noexcept { return counters_; }

 private:
  template <class F>
  struct function_mail : detail::mail {
    explicit function_mail(F f) : detail::mail(&run_and_delete, &delete_only), function(std::move(f)) {}
    static void run_and_delete(detail::mail& self) noexcept {
      std::unique_ptr<function_mail> const owned(static_cast<function_mail*>(&self));
      owned->function();
    }
    static void delete_only(detail::mail& self) noexcept { delete static_cast<function_mail*>(&self); }
    F function;
  };

  std::size_t turn(bool may_wait) noexcept;
  void wait_phase(bool may_wait, bool carried_over) noexcept;
  bool spin_phase() noexcept;
  bool spin_once() noexcept;
  bool ask_spinners() noexcept;
  [[nodiscard]] bool anybody_expecting() noexcept;
  void before_wait() noexcept;
  void block() noexcept;
  std::size_t run_ready() noexcept;
  void notify() noexcept;
  /// stop() is for run() alone; whoever else turns the loop must not be kept from sleeping by it.
  [[nodiscard]] bool stopping() const noexcept { return running_ && stop_requested_.load(); }

  loop_options options_;
  detail::ready_queue ready_;
  detail::ready_queue next_turn_;
  time_point now_{};
  detail::timer_heap timers_;
  std::unique_ptr<detail::io_backend> io_;
  std::unique_ptr<detail::system_sources> system_;
  detail::clock_source* clock_;
  detail::random_source* random_;
  detail::memory_source* memory_;
  detail::ready_policy* policy_;
  std::unique_ptr<detail::spin_budget> spin_;
  detail::intrusive_list<detail::spinner> spinners_;
  detail::frame_account frames_;
  loop_counters counters_;
  unsigned skipped_in_a_row_ = 0;
  bool in_turn_ = false;
  bool running_ = false;  // inside run()
  detail::mailbox mailbox_;
  std::atomic<bool> waiting_{false};  // somebody must call wake() to be heard
  std::atomic<bool> stop_requested_{false};
};

}  // namespace rdsco
