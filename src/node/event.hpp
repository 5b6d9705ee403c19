// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/detail/check.hpp>
#include <rdsco/detail/intrusive_list.hpp>
#include <rdsco/detail/leaf_operation.hpp>

#include <coroutine>

namespace rdsco::detail {

/// Something that happens, and those who wait for it. Who comes later waits for the next time.
class event {
 public:
  class [[nodiscard]] waiter : public leaf_operation<waiter>, public list_hook<> {
   public:
    waiter(event& of, loop& where) noexcept : of_(of), loop_(where) {}
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class P>
    void await_suspend(std::coroutine_handle<P> waiting) noexcept {
      suspend_regardless_in(waiting, loop_);
      of_.waiters_.push_back(*this);
    }
    void await_resume() const noexcept {}

   private:
    friend event;
    friend leaf_operation<waiter>;
    void on_stop() noexcept {}  // what is waited for comes in any case

    event& of_;
    loop& loop_;
  };

  event() noexcept = default;
  ~event() { RDSCO_CHECK(waiters_.empty(), "an event was destroyed while a coroutine waited for it"); }

  /// Cancellation: none, so only for what is sure to come.
  [[nodiscard]] waiter wait(loop& where) noexcept { return {*this, where}; }
  void happen() noexcept {
    while (waiter* const one = waiters_.pop_front()) one->complete();
  }

 private:
  intrusive_list<waiter> waiters_;
};

}  // namespace rdsco::detail
