// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/detail/branch.hpp>
#include <rdsco/detail/leaf_operation.hpp>
#include <rdsco/loop.hpp>
#include <rdsco/stop.hpp>
#include <rdsco/task.hpp>

#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <type_traits>
#include <utility>

namespace rdsco {

class join_operation;

/// Tasks that run beside each other and are waited for together. Usable inside and outside of coroutines.
/// Lifetime: joined, or empty, when it is destroyed (checked). Threads: the loop's.
class task_group final : private detail::branch_owner {
 public:
  explicit task_group(loop& where) noexcept : where_(where) {}
  /// Its tasks are stopped when `parent` is.
  task_group(loop& where, stop_scope* parent) noexcept : where_(where), scope_(parent) {}
  ~task_group();

  /// Starts `work` through the ready queue, not in place. The first exception that leaves a task is kept for join() and
  /// stops the others.
  void spawn(task<> work);
  /// Calls `function(arguments...)`, which returns a task<>, and keeps function and arguments for as long as it runs: a
  /// lambda with captures is safe here.
  template <class F, class... A>
    requires std::same_as<std::invoke_result_t<F&, A...>, task<>>
  void spawn(F function, A... arguments) {
    add(invoke(std::move(function), std::move(arguments)...));
  }

  /// Completes when all tasks have ended; then throws the kept exception, if any.
  /// Cancellation: stops the tasks, and still waits for their end.
  [[nodiscard]] join_operation join() noexcept;
  /// Asks all tasks to end, those spawned later too.
  void stop() noexcept { scope_.request_stop(); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] stop_scope& scope() noexcept { return scope_; }
  [[nodiscard]] rdsco::loop& where() noexcept { return where_; }

  /// Starts something that was made before, which cannot fail.
  void add(detail::branch work) noexcept;
  /// Without waiting for the end of the tasks: the exception that join() would throw.
  [[nodiscard]] std::exception_ptr take_error() noexcept { return std::exchange(error_, nullptr); }

 private:
  friend join_operation;
  static detail::branch run(task<> work);
  template <class F, class... A>
  static detail::branch invoke(F function, A... arguments) {
    co_await std::invoke(function, std::move(arguments)...);
  }
  void branch_ended(std::exception_ptr error) noexcept override;

  rdsco::loop& where_;
  stop_scope scope_;
  std::size_t size_ = 0;
  std::exception_ptr error_;
  join_operation* joining_ = nullptr;
};

class [[nodiscard]] join_operation : public detail::leaf_operation<join_operation> {
 public:
  explicit join_operation(task_group& group) noexcept : group_(group) {}
  [[nodiscard]] bool await_ready() const noexcept { return group_.size() == 0; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> waiting) noexcept {
    RDSCO_CHECK(group_.joining_ == nullptr, "a task_group was joined by two coroutines at once");
    group_.joining_ = this;
    if (!suspend_regardless_in(waiting, group_.where_)) group_.stop();
  }
  void await_resume() {
    if (auto error = group_.take_error()) std::rethrow_exception(std::move(error));
  }

 private:
  friend task_group;
  friend detail::leaf_operation<join_operation>;
  void on_stop() noexcept { group_.stop(); }

  task_group& group_;
};

inline join_operation task_group::join() noexcept { return join_operation(*this); }

}  // namespace rdsco
