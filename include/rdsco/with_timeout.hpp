// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/clock.hpp>
#include <rdsco/detail/environment.hpp>
#include <rdsco/detail/leaf_operation.hpp>
#include <rdsco/detail/timer.hpp>
#include <rdsco/loop.hpp>
#include <rdsco/result.hpp>
#include <rdsco/stop.hpp>
#include <rdsco/task.hpp>
#include <rdsco/this_task.hpp>

#include <concepts>
#include <coroutine>
#include <type_traits>
#include <utility>

namespace rdsco {
namespace detail {

// A leaf operation, perhaps by way of a class of its own between.
template <class Op>
concept leaf = requires(Op& operation) {
  operation.stop_now();
  operation.await_ready();
  { operation.where() } -> std::same_as<loop&>;
};

/// A timer that remembers that it expired.
class deadline : protected timer {
 public:
  explicit deadline(void (*function)(timer&) noexcept) noexcept : timer(function) {}
  ~deadline() { disarm(); }
  void arm(loop& where, duration length) noexcept;
  void disarm() noexcept;
  [[nodiscard]] bool passed() const noexcept { return passed_; }

 protected:
  static deadline& from(timer& self) noexcept {
    auto& value = static_cast<deadline&>(self);
    value.passed_ = true;
    return value;
  }

 private:
  loop* where_ = nullptr;
  bool passed_ = false;
};

class scope_deadline : public deadline {
 public:
  explicit scope_deadline(stop_scope& scope) noexcept : deadline(&expire), scope_(scope) {}

 private:
  static void expire(timer& self) noexcept { static_cast<scope_deadline&>(from(self)).scope_.request_stop(); }
  stop_scope& scope_;
};

template <class Op>
class operation_deadline : public deadline {
 public:
  explicit operation_deadline(Op& operation) noexcept : deadline(&expire), operation_(operation) {}

 private:
  static void expire(timer& self) noexcept { static_cast<operation_deadline&>(from(self)).operation_.stop_now(); }
  Op& operation_;
};

/// canceled, when it was the deadline that cancelled, reads timed_out.
template <class R>
void note_timeout(R& outcome, bool passed) noexcept {
  if (passed && outcome.ec == errc::canceled) outcome.ec = errc::timed_out;
}

template <class Op>
class [[nodiscard]] timed_operation {
 public:
  timed_operation(duration length, Op& operation) noexcept : length_(length), operation_(operation), deadline_(operation) {}
  timed_operation(timed_operation const&) = delete;
  timed_operation& operator=(timed_operation const&) = delete;

  [[nodiscard]] bool await_ready() { return operation_.await_ready(); }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> waiting) {
    if constexpr (std::is_void_v<decltype(operation_.await_suspend(waiting))>)
      operation_.await_suspend(waiting);
    else if (!operation_.await_suspend(waiting))
      return false;
    deadline_.arm(operation_.where(), length_);
    return true;
  }
  auto await_resume() {
    deadline_.disarm();
    auto outcome = operation_.await_resume();
    note_timeout(outcome, deadline_.passed());
    return outcome;
  }

 private:
  duration length_;
  Op& operation_;
  operation_deadline<Op> deadline_;
};

}  // namespace detail

/// Stops `work` when `length` has passed.
/// Completes when `work` has really ended: with timed_out when the deadline cancelled it, else with its own result. What
/// completed in spite of the deadline is not lost.
template <class T>
task<result<T>> with_timeout(duration length, task<result<T>> work) {
  detail::environment around = co_await this_task::environment();
  RDSCO_CHECK(around.where != nullptr, "with_timeout() in a coroutine that does not run on a loop");
  stop_scope scope(around.stop);
  detail::scope_deadline deadline(scope);
  deadline.arm(*around.where, length);
  detail::environment inside(around.where, &scope);
  auto outcome = co_await std::move(work).await_in(inside);
  deadline.disarm();
  detail::note_timeout(outcome, deadline.passed());
  co_return outcome;
}

/// The same for one operation, without an allocation: `co_await with_timeout(1s, sock.receive())`.
/// Lifetime: `operation` outlives the co_await; a temporary in the same expression does.
template <class Op>
  requires detail::leaf<std::remove_cvref_t<Op>>
[[nodiscard]] detail::timed_operation<std::remove_cvref_t<Op>> with_timeout(duration length, Op&& operation) noexcept {
  return {length, operation};
}

}  // namespace rdsco
