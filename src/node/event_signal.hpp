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
  /// The actor has had its share of the turn: whatever else is raised, next() completes in the next turn.
  void raise_next_turn(std::uint32_t events) noexcept {
    pending_ |= events;
    share_spent_ = true;
  }
  [[nodiscard]] bool share_spent() const noexcept { return share_spent_; }
  /// What these events asked for was done before they were taken.
  void settle(std::uint32_t events) noexcept { pending_ &= ~events; }

  class awaiter {
   public:
    enum class what : std::uint8_t { next, yield, next_turn };
    awaiter(event_signal& of, what asked) noexcept : of_(of), asked_(asked) {}
    [[nodiscard]] bool await_ready() const noexcept { return asked_ == what::next && of_.pending_ != 0 && !of_.share_spent_; }
    void await_suspend(std::coroutine_handle<> waiting) const noexcept {
      of_.waiting_ = waiting;
      if (asked_ == what::yield) return of_.where_.make_ready(of_);
      if (asked_ == what::next_turn || of_.share_spent_) of_.where_.make_ready_next_turn(of_);
    }
    std::uint32_t await_resume() const noexcept {
      if (asked_ != what::next) return 0;
      of_.share_spent_ = false;
      return std::exchange(of_.pending_, 0u);
    }

   private:
    event_signal& of_;
    what asked_;
  };
  /// Completes when an event is pending; takes all that are.
  [[nodiscard]] awaiter next() noexcept { return {*this, awaiter::what::next}; }
  /// Lets everybody who is ready run first. Takes no event.
  [[nodiscard]] awaiter yield() noexcept { return {*this, awaiter::what::yield}; }
  /// Completes in the next turn of the loop. Takes no event.
  [[nodiscard]] awaiter next_turn() noexcept { return {*this, awaiter::what::next_turn}; }

 private:
  static void resume(ready_item& self) noexcept { std::exchange(static_cast<event_signal&>(self).waiting_, nullptr).resume(); }

  loop& where_;
  std::coroutine_handle<> waiting_;
  std::uint32_t pending_ = 0;
  bool share_spent_ = false;
};

}  // namespace rdsco::detail
