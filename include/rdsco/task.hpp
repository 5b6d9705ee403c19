// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/detail/check.hpp>
#include <rdsco/detail/environment.hpp>
#include <rdsco/detail/promise.hpp>

#include <coroutine>
#include <exception>
#include <utility>

namespace rdsco {

/// A coroutine that starts when it is awaited and belongs to who holds it: `co_await f(x)`, or `co_await std::move(t)`.
/// Completes when the body has returned or thrown; an exception passes to the awaiting coroutine.
/// Lifetime: destroying one that was never awaited is fine; one that is suspended half-way must not be destroyed (checked).
/// Arguments are kept as the parameter types say: take values, not references, unless the caller waits.
template <class T = void>
class [[nodiscard]] task {
 public:
  struct promise_type : detail::task_promise<T> {
    task get_return_object() noexcept { return task(std::coroutine_handle<promise_type>::from_promise(*this)); }
  };
  using value_type = T;

  task() noexcept = default;
  task(task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  task& operator=(task&& other) noexcept {
    if (this != &other) {
      destroy();
      frame_ = std::exchange(other.frame_, nullptr);
    }
    return *this;
  }
  ~task() { destroy(); }

  explicit operator bool() const noexcept { return static_cast<bool>(frame_); }

  class awaiter {
   public:
    explicit awaiter(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
    awaiter(std::coroutine_handle<promise_type> frame, detail::environment const& inside) noexcept
        : frame_(frame), inside_(inside), overridden_(true) {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class P>
    bool await_suspend(std::coroutine_handle<P> parent) noexcept {
      return frame_.promise().start(frame_, parent, overridden_ ? inside_ : detail::environment_of(parent));
    }
    T await_resume() { return frame_.promise().take(); }

   private:
    std::coroutine_handle<promise_type> frame_;
    detail::environment inside_;
    bool overridden_ = false;
  };

  awaiter operator co_await() && noexcept {
    RDSCO_CHECK(frame_ && !frame_.promise().started(), "a task was awaited twice, or after it was moved from");
    return awaiter(frame_);
  }
  /// Awaits it with another environment than the awaiting coroutine's.
  awaiter await_in(detail::environment const& inside) && noexcept {
    RDSCO_CHECK(frame_ && !frame_.promise().started(), "a task was awaited twice, or after it was moved from");
    return awaiter(frame_, inside);
  }

 private:
  explicit task(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
  void destroy() noexcept {
    if (!frame_) return;
    RDSCO_CHECK(!frame_.promise().started() || frame_.done(), "a task was destroyed while it was suspended half-way");
    frame_.destroy();
    frame_ = nullptr;
  }

  std::coroutine_handle<promise_type> frame_;
};

}  // namespace rdsco
