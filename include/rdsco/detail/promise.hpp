// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/detail/environment.hpp>
#include <rdsco/detail/frame_pool.hpp>

#include <coroutine>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace rdsco::detail {

/// What all rdsco coroutines have: pooled frames and an environment.
class promise_base : public pooled_frame {
 public:
  [[nodiscard]] environment const& rdsco_environment() const noexcept { return around_; }
  void set_environment(environment const& around) noexcept { around_ = around; }

 private:
  environment around_;
};

/// The life of a task. A child is started by a plain call from its parent's await_suspend(), and a child that ends within
/// that call makes await_suspend() return false: a loop over a million children that never wait runs in constant stack with
/// any compiler and any flags. Symmetric transfer alone needs tail calls, which GCC makes at -O2 only.
/// A child that ends later goes on with its parent by symmetric transfer.
class task_promise_base : public promise_base {
 public:
  std::suspend_always initial_suspend() const noexcept { return {}; }

  class final_awaiter {
   public:
    final_awaiter() noexcept {}
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class P>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<P> frame) const noexcept {
      return frame.promise().finish();
    }
    void await_resume() const noexcept {}
  };
  final_awaiter final_suspend() const noexcept { return final_awaiter(); }

  [[nodiscard]] bool started() const noexcept { return state_ != state::fresh; }

  /// True when the child waits for something and the parent has to as well.
  bool start(std::coroutine_handle<> self, std::coroutine_handle<> parent, environment const& around) noexcept {
    set_environment(around);
    parent_ = parent;
    state_ = state::starting;
    self.resume();
    if (state_ == state::ended) return false;
    state_ = state::waiting;
    return true;
  }

 private:
  enum class state : unsigned char { fresh, starting, waiting, ended };

  std::coroutine_handle<> finish() noexcept {
    bool const parent_suspended = state_ == state::waiting;
    state_ = state::ended;
    if (parent_suspended) return parent_;
    return std::noop_coroutine();
  }

  std::coroutine_handle<> parent_;
  state state_ = state::fresh;
};

template <class T>
class task_promise : public task_promise_base {
 public:
  template <class U = T>
    requires std::is_constructible_v<T, U>
  void return_value(U&& value) {
    value_.emplace(std::forward<U>(value));
  }
  void unhandled_exception() noexcept { error_ = std::current_exception(); }
  T take() {
    if (error_) std::rethrow_exception(std::move(error_));
    return std::move(*value_);
  }

 private:
  std::optional<T> value_;
  std::exception_ptr error_;
};

template <class T>
class task_promise<T&> : public task_promise_base {
 public:
  void return_value(T& value) noexcept { value_ = std::addressof(value); }
  void unhandled_exception() noexcept { error_ = std::current_exception(); }
  T& take() {
    if (error_) std::rethrow_exception(std::move(error_));
    return *value_;
  }

 private:
  T* value_ = nullptr;
  std::exception_ptr error_;
};

template <>
class task_promise<void> : public task_promise_base {
 public:
  void return_void() const noexcept {}
  void unhandled_exception() noexcept { error_ = std::current_exception(); }
  void take() {
    if (error_) std::rethrow_exception(std::move(error_));
  }

 private:
  std::exception_ptr error_;
};

}  // namespace rdsco::detail
