// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/detail/check.hpp>
#include <rdsco/detail/intrusive_list.hpp>
#include <rdsco/detail/leaf_operation.hpp>
#include <rdsco/result.hpp>

#include <coroutine>

namespace rdsco::detail {

/// Something that may come true, and those who wait for it, who look first whether it is.
/// Cancellation: canceled.
class condition {
 public:
  class [[nodiscard]] waiter : public leaf_operation<waiter>, public list_hook<> {
   public:
    explicit waiter(condition& of) noexcept : of_(of) {}
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class P>
    bool await_suspend(std::coroutine_handle<P> waiting) noexcept {
      if (!suspend_in(waiting, *environment_of(waiting).where)) return canceled_ = true, false;
      of_.waiters_.push_back(*this);
      return true;
    }
    result<> await_resume() const noexcept { return canceled_ ? result<>(errc::canceled) : result<>(); }

   private:
    friend condition;
    friend leaf_operation<waiter>;
    void on_stop() noexcept {
      static_cast<list_hook<>&>(*this).unlink();
      canceled_ = true;
      complete();
    }

    condition& of_;
    bool canceled_ = false;
  };

  condition() noexcept = default;
  ~condition() { RDSCO_CHECK(waiters_.empty(), "a condition was destroyed while a coroutine waited for it"); }

  [[nodiscard]] waiter wait() noexcept { return waiter(*this); }
  void came_true() noexcept {
    while (waiter* const one = waiters_.pop_front()) one->complete();
  }

 private:
  intrusive_list<waiter> waiters_;
};

}  // namespace rdsco::detail
