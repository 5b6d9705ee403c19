// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/loop.hpp>
#include <rdsco/sleep.hpp>
#include <rdsco/task_group.hpp>

#include <nlohmann/json_fwd.hpp>

#include <stop_token>
#include <thread>

namespace rdsco::kernel_lab {

/// Writes one line and flushes it, so that a driver that waits for it sees it, even if this program is killed next.
void say(nlohmann::json const& line);

/// Closed until it is opened, then open for ever. One coroutine waits at it.
class gate {
 public:
  gate(loop& where, bool open) : held_(where) {
    if (open) held_.stop();
  }
  void open() noexcept { held_.stop(); }
  /// Completes when it is open, or when the waiting coroutine is stopped.
  [[nodiscard]] task<> passed() {
    held_.spawn(hold());
    co_await held_.join();
  }

 private:
  static task<> hold() { static_cast<void>(co_await sleep(std::chrono::hours(24))); }

  task_group held_;
};

/// Commands of the test driver: SIGUSR1, or a line on stdin when asked to listen there, is "go"; SIGTERM and SIGINT are "stop".
/// A thread takes them and posts them to the loop.
class driver {
 public:
  struct waits {
    bool to_send = false;
    bool to_receive = false;
    bool on_stdin = false;
  };

  /// Threads: made before any other thread starts, because they inherit which signals are blocked.
  driver(loop& where, waits what);
  ~driver();
  driver(driver const&) = delete;
  driver& operator=(driver const&) = delete;

  /// Opens on "go".
  [[nodiscard]] gate& may_send() noexcept { return may_send_; }
  [[nodiscard]] gate& may_receive() noexcept { return may_receive_; }
  [[nodiscard]] std::stop_token stopped() const noexcept { return stop_.get_token(); }

 private:
  void listen(bool on_stdin);
  void take_signal();
  [[nodiscard]] bool take_line();
  void go();

  loop& where_;
  gate may_send_;
  gate may_receive_;
  std::stop_source stop_;
  int signals_ = -1;
  int ended_ = -1;
  std::thread listener_;
};

}  // namespace rdsco::kernel_lab
