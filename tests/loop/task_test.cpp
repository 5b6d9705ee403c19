// SPDX-License-Identifier: BSD-2-Clause
// Wrong could go: a task that starts too early, loses its value or exception, or eats the stack when nothing ever waits.
// Forced by: counting starts and destructions, and a million children that complete at once, in every build type.
#include "loop/worlds.hpp"

#include <rdsco/block_on.hpp>
#include <rdsco/sleep.hpp>
#include <rdsco/this_task.hpp>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

using namespace rdsco;
using namespace rdsco::test;

namespace {

task<int> number(int value) { co_return value; }
task<std::unique_ptr<int>> pointer() { co_return std::make_unique<int>(7); }
task<int&> reference(int& value) { co_return value; }
task<> noted(bool* started) {
  *started = true;
  co_return;
}
task<int> thrown() {
  co_await yield();
  throw std::runtime_error("thrown");
}
task<int> thrown_at_once() {
  throw std::runtime_error("thrown");
  co_return 0;
}
task<result<int>> failed() { co_return errc::congested; }

}  // namespace

TEST_CASE("a task gives its value") {
  memory_world world;
  int value = 3;
  REQUIRE(block_on(world.where, number(4)) == 4);
  REQUIRE(*block_on(world.where, pointer()) == 7);
  REQUIRE(block_on(world.where, failed()).ec == errc::congested);
  block_on(world.where, [](int* known) -> task<> {
    int& same = co_await reference(*known);
    REQUIRE(&same == known);
    auto owned = co_await pointer();
    REQUIRE(*owned == 7);
    task<int> moved = number(1);
    task<int> later = std::move(moved);
    REQUIRE_FALSE(moved);
    int const got = co_await std::move(later);
    REQUIRE(got == 1);
  }(&value));
}

TEST_CASE("a task starts when it is awaited, not before") {
  bool started = false;
  { auto never = noted(&started); }
  REQUIRE_FALSE(started);
  memory_world world;
  auto later = noted(&started);
  REQUIRE_FALSE(started);
  block_on(world.where, std::move(later));
  REQUIRE(started);
}

TEST_CASE("an exception passes through") {
  memory_world world;
  REQUIRE_THROWS_AS(block_on(world.where, thrown()), std::runtime_error);
  REQUIRE_THROWS_AS(block_on(world.where, thrown_at_once()), std::runtime_error);
  bool caught = false;
  block_on(world.where, [](bool* seen) -> task<> {
    try {
      (void)co_await thrown();
    } catch (std::runtime_error const&) {
      *seen = true;
    }
  }(&caught));
  REQUIRE(caught);
  REQUIRE(world.where.frames() == 0);
}

namespace {

task<std::int64_t> sum_of_children(int count) {
  std::int64_t sum = 0;
  for (int i = 0; i < count; ++i) sum += co_await number(1);
  co_return sum;
}
task<std::int64_t> sum_of_grandchildren(int count) {
  std::int64_t sum = 0;
  for (int i = 0; i < count; ++i) sum += co_await sum_of_children(2);
  co_return sum;
}
// A chain of children each of which waits first, and so is resumed by the loop and goes on with its parent.
task<int> deep(int depth) {
  if (depth == 0) {
    co_await yield();
    co_return 0;
  }
  int const below = co_await deep(depth - 1);
  co_return below + 1;
}

}  // namespace

TEST_CASE("a million children that never wait need no stack") {
  memory_world world;
  REQUIRE(block_on(world.where, sum_of_children(1'000'000)) == 1'000'000);
  REQUIRE(block_on(world.where, sum_of_grandchildren(500'000)) == 1'000'000);
}

TEST_CASE("chains end from the bottom") {
  memory_world world;
  REQUIRE(block_on(world.where, deep(1000)) == 1000);
  REQUIRE(world.where.frames() == 0);
}

TEST_CASE("a coroutine knows its loop and whether it was stopped") {
  memory_world world;
  block_on(world.where, [](loop* expected) -> task<> {
    auto& mine = co_await this_task::loop();
    REQUIRE(&mine == expected);
    bool stopped = co_await this_task::stop_requested();
    REQUIRE_FALSE(stopped);
    auto const around = co_await this_task::environment();
    around.stop->request_stop();
    stopped = co_await this_task::stop_requested();
    REQUIRE(stopped);
  }(&world.where));
}

namespace {

// A coroutine type of another library, which knows nothing of environments.
struct foreign {
  struct promise_type {
    foreign get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };
};

foreign sleeper(loop& where, int* steps) {
  (void)co_await sleep(where, std::chrono::seconds(1));
  ++*steps;
  auto [ec, value] = co_await failed();
  *steps += ec == errc::congested ? 1 : 0;
}

}  // namespace

TEST_CASE("operations and tasks are awaited in foreign coroutines") {
  memory_world world;
  int steps = 0;
  sleeper(world.where, &steps);
  REQUIRE(steps == 0);
  while (steps < 2) world.where.run_once();
  REQUIRE(steps == 2);
}
