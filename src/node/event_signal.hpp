// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/detail/check.hpp>
#include <rdsco/detail/ready.hpp>
#include <rdsco/loop.hpp>

#include <coroutine>
#include <cstdint>
#include <utility>

namespace rdsco::detail {

/// What an actor waits on: events are noted as bits, and the one coroutine that waits is made ready, never resumed in place.
/// An event that nobody waits for is kept.
class event_signal : private ready_item {
 public:
  explicit event_signal(loop& where) noexcept : ready_item(&resume), where_(where) {}
  ~event_signal() { RDSCO_CHECK(waiting_ == nullptr, "an event_signal was destroyed while its actor waited"); }

  void raise(std::uint32_t events) noexcept {
    pending_ |= events;
    if (waiting_ != nullptr) where_.make_ready(*this);
  }
  /// What these events asked for was done before they were taken.
  void settle(std::uint32_t events) noexcept { pending_ &= ~events; }

  class awaiter {
   public:
    awaiter(event_signal& of, bool yield) noexcept : of_(of), yield_(yield) {}
    [[nodiscard]] bool await_ready() const noexcept { return !yield_ && of_.pending_ != 0; }
    void await_suspend(std::coroutine_handle<> waiting) const noexcept {
      of_.waiting_ = waiting;
      if (yield_) of_.where_.make_ready(of_);
    }
    std::uint32_t await_resume() const noexcept { return yield_ ? 0 : std::exchange(of_.pending_, 0u); }

   private:
    event_signal& of_;
    bool yield_;
  };
  /// Completes when an event is pending; takes all that are.
  [[nodiscard]] awaiter next() noexcept { return {*this, false}; }
  /// Lets everybody who is ready run first. Takes no event.
  [[nodiscard]] awaiter yield() noexcept { return {*this, true}; }

 private:
  static void resume(ready_item& self) noexcept { std::exchange(static_cast<event_signal&>(self).waiting_, nullptr).resume(); }

  loop& where_;
  std::coroutine_handle<> waiting_;
  std::uint32_t pending_ = 0;
};

}  // namespace rdsco::detail
