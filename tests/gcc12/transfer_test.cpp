// SPDX-License-Identifier: BSD-2-Clause
// Wrong could go: a program built without optimisation overflows its stack when a million children complete at once.
// Forced by: being compiled with -O0. Bare symmetric transfer, for comparison, is pinned to what this compiler makes of it.
#include <rdsco/task.hpp>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include <csignal>
#include <exception>

namespace {

struct runner {
  struct promise_type {
    runner get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };
};

/// A lazy task as textbooks have it: both start and end are symmetric transfers.
class textbook_task {
 public:
  struct promise_type {
    std::coroutine_handle<> parent;
    textbook_task get_return_object() noexcept { return textbook_task(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    struct final_awaiter {
      bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> self) noexcept { return self.promise().parent; }
      void await_resume() noexcept {}
    };
    final_awaiter final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };
  explicit textbook_task(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
  textbook_task(textbook_task const&) = delete;
  textbook_task& operator=(textbook_task const&) = delete;
  ~textbook_task() { frame_.destroy(); }
  bool await_ready() noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> parent) noexcept {
    frame_.promise().parent = parent;
    return frame_;
  }
  void await_resume() noexcept {}

 private:
  std::coroutine_handle<promise_type> frame_;
};

constexpr int many = 1'000'000;

textbook_task textbook_child() { co_return; }
runner textbook_loop() {
  for (int i = 0; i < many; ++i) co_await textbook_child();
}

rdsco::task<> child() { co_return; }
rdsco::task<> loop_over_children() {
  for (int i = 0; i < many; ++i) co_await child();
}
runner rdsco_loop() { co_await loop_over_children(); }

/// The signal that ends a process that does `function`; 0: it ends by itself.
int signal_of(void (*function)()) {
  pid_t const process = ::fork();
  REQUIRE(process >= 0);
  if (process == 0) {
    rlimit const no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    std::signal(SIGSEGV, SIG_DFL);
    function();
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(process, &status, 0) == process);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

}  // namespace

TEST_CASE("a million children that never wait need no stack, without optimisation") {
  REQUIRE(signal_of([] { rdsco_loop(); }) == 0);
}

TEST_CASE("trap: bare symmetric transfer needs optimisation") {
#if defined(__clang__)
  REQUIRE(signal_of([] { textbook_loop(); }) == 0);
#else
  REQUIRE(signal_of([] { textbook_loop(); }) == SIGSEGV);
#endif
}
