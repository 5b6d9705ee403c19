// SPDX-License-Identifier: BSD-2-Clause
// The least that two coroutines need to hand messages to each other: a slot of one message and a hop.
#include "stopwatch.hpp"

#include <array>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <utility>

namespace rdsco::bench {

namespace {

using message = std::array<std::byte, 64>;

struct routine {
  struct promise_type {
    routine get_return_object() noexcept { return routine(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };
  explicit routine(std::coroutine_handle<promise_type> made) noexcept : frame(made) {}
  routine(routine const&) = delete;
  routine& operator=(routine const&) = delete;
  ~routine() { frame.destroy(); }
  std::coroutine_handle<promise_type> frame;
};

/// Of two coroutines one runs; the other is here once it could run too.
struct other_one {
  std::coroutine_handle<> ready = std::noop_coroutine();
};

class channel {
 public:
  explicit channel(other_one& other) noexcept : other_(other) {}

  class push_awaiter {
   public:
    push_awaiter(channel& to, message const& what) noexcept : to_(to), what_(what) {}
    bool await_ready() const noexcept { return !to_.full_; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> self) const noexcept { return to_.park(self); }
    void await_resume() const noexcept {
      to_.slot_ = what_;
      to_.full_ = true;
      to_.wake();
    }

   private:
    channel& to_;
    message const& what_;
  };
  class take_awaiter {
   public:
    explicit take_awaiter(channel& from) noexcept : from_(from) {}
    bool await_ready() const noexcept { return from_.full_; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> self) const noexcept { return from_.park(self); }
    message await_resume() const noexcept {
      from_.full_ = false;
      from_.wake();
      return from_.slot_;
    }

   private:
    channel& from_;
  };
  push_awaiter push(message const& what) noexcept { return {*this, what}; }
  take_awaiter take() noexcept { return take_awaiter(*this); }

 private:
  std::coroutine_handle<> park(std::coroutine_handle<> self) noexcept {
    parked_ = self;
    return std::exchange(other_.ready, std::noop_coroutine());
  }
  void wake() noexcept {
    if (parked_) other_.ready = std::exchange(parked_, nullptr);
  }

  other_one& other_;
  message slot_{};
  bool full_ = false;
  std::coroutine_handle<> parked_;
};

// What was received is looked at, or the copy would be removed.
void look_at(message const& got) noexcept { asm volatile("" : : "m"(got) : "memory"); }

routine echo(channel& in, channel& out, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    message const got = co_await in.take();
    look_at(got);
    co_await out.push(got);
  }
}

routine ask(channel& out, channel& in, std::uint64_t count) {
  message const question{};
  for (std::uint64_t i = 0; i < count; ++i) {
    co_await out.push(question);
    message const got = co_await in.take();
    look_at(got);
  }
}

routine send(channel& out, std::uint64_t count) {
  message const one{};
  for (std::uint64_t i = 0; i < count; ++i) co_await out.push(one);
}

routine receive(channel& in, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    message const got = co_await in.take();
    look_at(got);
  }
}

void run_both(routine& first, routine& second, other_one& other) {
  other.ready = second.frame;
  first.frame.resume();
  while (!second.frame.done() || !first.frame.done()) std::exchange(other.ready, std::noop_coroutine()).resume();
}

void in_turns(std::uint64_t messages) {
  other_one other;
  channel there(other), back(other);
  routine asking = ask(there, back, messages / 2), answering = echo(there, back, messages / 2);
  run_both(answering, asking, other);
}

void stream(std::uint64_t messages) {
  other_one other;
  channel there(other);
  routine sending = send(there, messages), receiving = receive(there, messages);
  run_both(receiving, sending, other);
}

figures timed(request const& asked, void (*run)(std::uint64_t)) {
  run(asked.warmup);
  stopwatch timer;
  run(asked.count);
  return {{"ns", timer.ns() / static_cast<double>(asked.count)}};
}

}  // namespace

figures channel_in_turns(request const& asked) { return timed(asked, &in_turns); }
figures channel_stream(request const& asked) { return timed(asked, &stream); }

}  // namespace rdsco::bench
