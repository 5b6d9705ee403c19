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

template <class T>
struct timed {
  using type = result<T>;
};
template <class T>
struct timed<result<T>> {
  using type = result<T>;
};
/// What with_timeout() makes of the outcome T: a result stays what it is, anything else becomes one.
template <class T>
using timed_t = typename timed<T>::type;

inline result<> timeout_of(bool passed) noexcept { return passed ? result<>(errc::timed_out) : result<>(); }
template <class T>
timed_t<T> with_timeout_noted(T outcome, bool passed) {
  if constexpr (std::same_as<T, timed_t<T>>) {
    note_timeout(outcome, passed);
    return outcome;
  } else {
    return timed_t<T>(timeout_of(passed).ec, std::move(outcome));
  }
}

template <class T>
inline constexpr bool is_task = false;
template <class T>
inline constexpr bool is_task<task<T>> = true;

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
    if constexpr (std::is_void_v<decltype(operation_.await_resume())>) {
      operation_.await_resume();
      return timeout_of(deadline_.passed());
    } else {
      return with_timeout_noted(operation_.await_resume(), deadline_.passed());
    }
  }

 private:
  duration length_;
  Op& operation_;
  operation_deadline<Op> deadline_;
};

}  // namespace detail

/// Stops `work` when `length` has passed.
/// Completes when `work` has really ended. A task<result<T>>: with timed_out when the deadline cancelled it, else with its own
/// result; what completed in spite of the deadline is not lost. A task<T> that returns no result cannot say whether it was
/// cancelled: it yields a result<T> with its value, and with timed_out besides when the deadline passed first.
/// Errors: throws what `work` throws.
template <class T>
task<detail::timed_t<T>> with_timeout(duration length, task<T> work) {
  detail::environment around = co_await this_task::environment();
  RDSCO_CHECK(around.where != nullptr, "with_timeout() in a coroutine that does not run on a loop");
  stop_scope scope(around.stop);
  detail::scope_deadline deadline(scope);
  deadline.arm(*around.where, length);
  detail::environment inside(around.where, &scope);
  if constexpr (std::is_void_v<T>) {
    co_await std::move(work).await_in(inside);
    deadline.disarm();
    co_return detail::timeout_of(deadline.passed());
  } else {
    auto outcome = co_await std::move(work).await_in(inside);
    deadline.disarm();
    co_return detail::with_timeout_noted(std::move(outcome), deadline.passed());
  }
}

/// The same for one operation, without an allocation: `co_await with_timeout(1s, sock.receive())`. After group.join() timed_out
/// says that the deadline stopped the tasks.
/// Lifetime: `operation` outlives the co_await; a temporary in the same expression does.
template <class Op>
  requires detail::leaf<std::remove_reference_t<Op>>
[[nodiscard]] detail::timed_operation<std::remove_reference_t<Op>> with_timeout(duration length, Op&& operation) noexcept {
  return {length, operation};
}

/// Whatever else is given is a mistake.
template <class T>
  requires(!detail::leaf<std::remove_reference_t<T>> && !detail::is_task<std::remove_cvref_t<T>>)
void with_timeout(duration, T&&) {
  static_assert(detail::is_task<T>, "with_timeout() takes a task, or an operation like sock.receive(), sleep() and group.join()");
}

}  // namespace rdsco
