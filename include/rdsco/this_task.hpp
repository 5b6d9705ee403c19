// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/detail/check.hpp>
#include <rdsco/detail/environment.hpp>
#include <rdsco/stop.hpp>

#include <coroutine>

namespace rdsco::detail {

/// Reads the environment of the awaiting coroutine and goes on at once.
class environment_reader {
 public:
  environment_reader() noexcept {}
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> waiting) noexcept {
    around_ = environment_of(waiting);
    return false;
  }
  [[nodiscard]] environment await_resume() const noexcept { return around_; }

 protected:
  environment around_;
};

class stop_reader : public environment_reader {
 public:
  [[nodiscard]] bool await_resume() const noexcept { return around_.stop != nullptr && around_.stop->stop_requested(); }
};

class loop_reader : public environment_reader {
 public:
  [[nodiscard]] rdsco::loop& await_resume() const noexcept {
    RDSCO_CHECK(around_.where != nullptr, "this coroutine does not run on an rdsco loop");
    return *around_.where;
  }
};

}  // namespace rdsco::detail

namespace rdsco::this_task {

/// `co_await this_task::stop_requested()`: whether somebody asked this coroutine to end.
[[nodiscard]] inline detail::stop_reader stop_requested() noexcept { return {}; }
/// `co_await this_task::loop()`: the loop it runs on.
[[nodiscard]] inline detail::loop_reader loop() noexcept { return {}; }
/// Loop and stop scope together.
[[nodiscard]] inline detail::environment_reader environment() noexcept { return {}; }

}  // namespace rdsco::this_task
