// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/detail/check.hpp>
#include <rdsco/detail/environment.hpp>
#include <rdsco/detail/ready.hpp>
#include <rdsco/loop.hpp>
#include <rdsco/stop.hpp>

#include <coroutine>
#include <utility>

namespace rdsco::detail {

/// Base of the awaiters at the end of every chain of coroutines. `Derived` is the awaiter and provides, accessible from here,
///   void on_stop() noexcept;   // the ambient scope was stopped while suspended: let go and, now or later, complete()
/// A completion never resumes the coroutine in place; it queues it on its loop.
template <class Derived>
class leaf_operation : public ready_item, public stop_callback {
 public:
  leaf_operation(leaf_operation const&) = delete;
  leaf_operation& operator=(leaf_operation const&) = delete;

  [[nodiscard]] bool suspended() const noexcept { return waiting_ != nullptr && !queued; }
  /// As if the ambient scope were stopped, for this operation alone. Later stops of the scope do not reach it again.
  void stop_now() noexcept {
    if (!suspended() || stop_seen_) return;
    unlink();
    deliver_stop();
  }
  /// The loop it was suspended on. Only after suspend_in().
  [[nodiscard]] loop& where() const noexcept { return *where_; }

 protected:
  leaf_operation() noexcept : ready_item(&resume_waiting), stop_callback(&scope_stopped) {}
  ~leaf_operation() { RDSCO_CHECK(waiting_ == nullptr, "an operation was destroyed while a coroutine waited for it"); }

  /// Remembers who waits and joins the ambient stop scope. False when that is stopped already: nothing was remembered, and
  /// await_suspend() reports canceled by returning false, without having started anything.
  template <class P>
  [[nodiscard]] bool suspend_in(std::coroutine_handle<P> waiting, loop& where) noexcept {
    environment const around = environment_of(waiting);
    if (around.stop != nullptr && !around.stop->add(*this)) return false;
    waiting_ = waiting;
    where_ = &where;
    return true;
  }
  /// For operations that cannot be left early: waits in any case. False when the scope is stopped already; on_stop() will
  /// not be called then.
  template <class P>
  bool suspend_regardless_in(std::coroutine_handle<P> waiting, loop& where) noexcept {
    if (suspend_in(waiting, where)) return true;
    waiting_ = waiting;
    where_ = &where;
    stop_seen_ = true;
    return false;
  }
  /// Takes back a suspend_in() within the same await_suspend(), which then returns false.
  void unsuspend() noexcept {
    unlink();
    waiting_ = nullptr;
  }
  /// Exactly once after suspend_in(): leaves the stop scope and queues the coroutine.
  void complete() noexcept {
    RDSCO_CHECK(suspended(), "an operation completed twice, or before it was suspended");
    unlink();
    where_->make_ready(*this);
  }

 private:
  static void resume_waiting(ready_item& self) noexcept {
    std::exchange(static_cast<leaf_operation&>(self).waiting_, nullptr).resume();
  }
  static void scope_stopped(stop_callback& self) noexcept { static_cast<leaf_operation&>(self).deliver_stop(); }
  void deliver_stop() noexcept {
    stop_seen_ = true;
    static_cast<Derived&>(*this).on_stop();
  }

  std::coroutine_handle<> waiting_;
  loop* where_ = nullptr;
  bool stop_seen_ = false;
};

}  // namespace rdsco::detail
