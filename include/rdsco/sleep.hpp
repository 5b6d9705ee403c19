// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/clock.hpp>
#include <rdsco/detail/check.hpp>
#include <rdsco/detail/leaf_operation.hpp>
#include <rdsco/detail/timer.hpp>
#include <rdsco/loop.hpp>
#include <rdsco/result.hpp>

namespace rdsco {

class [[nodiscard]] sleep_operation : public detail::leaf_operation<sleep_operation>, private detail::timer {
 public:
  sleep_operation(loop* where, duration length) noexcept : timer(&timer_expired), loop_(where), length_(length) {}
  sleep_operation(loop* where, time_point until) noexcept
      : timer(&timer_expired), loop_(where), length_(until.time_since_epoch()), absolute_(true) {}

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> waiting) noexcept {
    if (loop_ == nullptr) loop_ = detail::environment_of(waiting).where;
    RDSCO_CHECK(loop_ != nullptr, "sleep() in a coroutine that does not run on a loop: name the loop");
    if (!suspend_in(waiting, *loop_)) {
      ec_ = errc::canceled;
      return false;
    }
    arm();
    return true;
  }
  result<> await_resume() const noexcept { return ec_; }

 private:
  friend detail::leaf_operation<sleep_operation>;
  void arm() noexcept;
  void on_stop() noexcept;
  static void timer_expired(detail::timer& self) noexcept;

  loop* loop_;
  duration length_;
  bool absolute_ = false;
  std::error_code ec_;
};

class [[nodiscard]] yield_operation : public detail::leaf_operation<yield_operation> {
 public:
  yield_operation() noexcept = default;
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> waiting) noexcept {
    loop* const where = detail::environment_of(waiting).where;
    RDSCO_CHECK(where != nullptr, "yield() in a coroutine that does not run on a loop");
    suspend_regardless_in(waiting, *where);
    complete();
  }
  void await_resume() const noexcept {}

 private:
  friend detail::leaf_operation<yield_operation>;
  void on_stop() noexcept {}  // it is queued already
};

/// Completes when the time has passed. Errors: canceled.
[[nodiscard]] inline sleep_operation sleep(duration length) noexcept { return sleep_operation(nullptr, length); }
[[nodiscard]] inline sleep_operation sleep_until(time_point when) noexcept { return sleep_operation(nullptr, when); }
/// For coroutines of other libraries, which do not know the loop.
[[nodiscard]] inline sleep_operation sleep(loop& where, duration length) noexcept { return sleep_operation(&where, length); }
[[nodiscard]] inline sleep_operation sleep_until(loop& where, time_point when) noexcept { return sleep_operation(&where, when); }
/// Lets everything run that is ready.
[[nodiscard]] inline yield_operation yield() noexcept { return yield_operation(); }

}  // namespace rdsco
