// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/detail/leaf_operation.hpp>

#include <utility>

namespace rdsco::tools {

/// Something that one coroutine waits for. An event that nobody waits for is kept; several in a row count once.
class event {
 public:
  class [[nodiscard]] waiting : public detail::leaf_operation<waiting> {
   public:
    explicit waiting(event& of) noexcept : of_(of) {}
    [[nodiscard]] bool await_ready() const noexcept { return of_.raised_; }
    template <class P>
    bool await_suspend(std::coroutine_handle<P> waiter) noexcept {
      canceled_ = !this->suspend_in(waiter, *detail::environment_of(waiter).where);
      if (!canceled_) of_.waiting_ = this;
      return !canceled_;
    }
    /// False: canceled.
    bool await_resume() const noexcept { return !canceled_ && std::exchange(of_.raised_, false); }

   private:
    friend event;
    friend detail::leaf_operation<waiting>;
    void on_stop() noexcept {
      of_.waiting_ = nullptr;
      canceled_ = true;
      this->complete();
    }
    void wake() noexcept { this->complete(); }

    event& of_;
    bool canceled_ = false;
  };

  event() noexcept = default;
  event(event const&) = delete;
  event& operator=(event const&) = delete;

  void raise() noexcept {
    raised_ = true;
    if (waiting* const one = std::exchange(waiting_, nullptr)) one->wake();
  }
  /// Completes when the event has been raised, and takes it.
  [[nodiscard]] waiting wait() noexcept { return waiting(*this); }

 private:
  waiting* waiting_ = nullptr;
  bool raised_ = false;
};

}  // namespace rdsco::tools
