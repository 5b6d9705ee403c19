// SPDX-License-Identifier: BSD-2-Clause
// Wrong could go: a group that forgets a task or an exception, a loser that is not stopped or not awaited, a timeout that
// fires early, late, or eats a result. Forced by: virtual time, and tasks that note when they begin, stop and end.
#include "loop/worlds.hpp"

#include <rdsco/block_on.hpp>
#include <rdsco/sleep.hpp>
#include <rdsco/task_group.hpp>
#include <rdsco/this_task.hpp>
#include <rdsco/when_any.hpp>
#include <rdsco/with_timeout.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

using namespace rdsco;
using namespace rdsco::test;
using namespace std::chrono_literals;

namespace {

struct notes {
  int begun = 0, canceled = 0, ended = 0;
  notes() noexcept = default;
};

task<int> after(duration length, int value, notes* into = nullptr) {
  notes mine;
  if (into == nullptr) into = &mine;
  ++into->begun;
  auto const slept = co_await sleep(length);
  into->canceled += slept ? 0 : 1;
  ++into->ended;
  co_return value;
}
task<> throw_after(duration length, std::string text) {
  (void)co_await sleep(length);
  throw std::runtime_error(text);
}
task<> wait_long(notes* into) { (void)co_await after(24h, 0, into); }
task<> nothing() { co_return; }

duration since(memory_world& world, time_point start) { return world.clock.now() - start; }

}  // namespace

TEST_CASE("when_all runs beside each other and keeps the order") {
  memory_world world;
  auto const start = world.clock.now();
  block_on(world.where, []() -> task<> {
    auto [a, b, c] = co_await when_all(after(3s, 1), nothing(), after(1s, 2));
    static_assert(std::is_same_v<decltype(b), std::monostate>);
    REQUIRE(a == 1);
    REQUIRE(c == 2);
    std::vector<task<int>> many;
    for (int i = 0; i < 100; ++i) many.push_back(after(1s * (100 - i), i));
    auto const values = co_await when_all(std::move(many));
    for (int i = 0; i < 100; ++i) REQUIRE(values[static_cast<std::size_t>(i)] == i);
    auto const none = co_await when_all(std::vector<task<int>>());
    REQUIRE(none.empty());
  }());
  REQUIRE(since(world, start) == 103s);
  REQUIRE(world.where.frames() == 0);
}

TEST_CASE("when_all throws the first exception after all have ended") {
  memory_world world;
  notes seen;
  auto const start = world.clock.now();
  auto const work = [](notes* into) -> task<> {
    co_await when_all(wait_long(into), throw_after(2s, "second"), throw_after(1s, "first"), wait_long(into));
  };
  REQUIRE_THROWS_WITH(block_on(world.where, work(&seen)), "first");
  REQUIRE(seen.canceled == 2);
  REQUIRE(seen.ended == 2);
  REQUIRE(since(world, start) == 1s);
}

TEST_CASE("when_any stops and awaits the losers") {
  memory_world world;
  notes seen;
  auto const start = world.clock.now();
  block_on(world.where, [](notes* into) -> task<> {
    auto const first = co_await when_any(wait_long(into), after(1s, 5), wait_long(into));
    REQUIRE(first.index == 1);
    REQUIRE(std::get<1>(first.value) == 5);
    REQUIRE(into->canceled == 2);
    REQUIRE(into->ended == 2);
    auto const at_once = co_await when_any(nothing(), wait_long(into));
    REQUIRE(at_once.index == 0);
  }(&seen));
  REQUIRE(since(world, start) == 1s);
  auto const thrown = [](notes* into) -> task<> { (void)co_await when_any(wait_long(into), throw_after(1s, "won")); };
  REQUIRE_THROWS_WITH(block_on(world.where, thrown(&seen)), "won");
  REQUIRE(seen.begun == seen.ended);
  auto const lost = [](notes* into) -> task<> {
    auto const first = co_await when_any(throw_after(24h, "lost"), after(1s, 1, into));
    REQUIRE(first.index == 1);
  };
  REQUIRE_NOTHROW(block_on(world.where, lost(&seen)));
}

TEST_CASE("a group is joined, and stopped by its first exception") {
  memory_world world;
  notes seen;
  auto const work = [](loop& where, notes* into) -> task<> {
    task_group group(where);
    group.spawn(wait_long(into));
    group.spawn(throw_after(1s, "broken"));
    REQUIRE(into->begun == 0);  // not started in place
    REQUIRE(group.size() == 2);
    co_await group.join();
  };
  REQUIRE_THROWS_WITH(block_on(world.where, work(world.where, &seen)), "broken");
  REQUIRE(seen.canceled == 1);
  REQUIRE(world.where.frames() == 0);
}

TEST_CASE("a group outside of coroutines owns what it is given") {
  memory_world world;
  task_group group(world.where);
  auto const shared = std::make_shared<int>(0);
  {
    auto const text = std::make_unique<std::string>("temporary");
    for (int i = 0; i < 10; ++i)
      group.spawn(
          [shared, copy = *text](int step) -> task<> {
            (void)co_await sleep(1s * step);
            *shared += copy == "temporary" ? 1 : 0;
          },
          i);
  }
  while (group.size() > 0) world.where.run_once();
  REQUIRE(*shared == 10);
  REQUIRE(shared.use_count() == 1);
}

TEST_CASE("joining passes a stop on and still waits for the end") {
  memory_world world;
  notes seen;
  block_on(world.where, [](loop& where, notes* into) -> task<> {
    auto const stubborn = [](notes* n) -> task<> {
      co_await wait_long(n);
      auto const second = co_await sleep(1s);  // every further operation is canceled as well
      REQUIRE(second.ec == errc::canceled);
    };
    task_group outer(where);
    outer.spawn([&]() -> task<> {
      task_group inner(where);
      inner.spawn(stubborn(into));
      co_await inner.join();
      REQUIRE(inner.size() == 0);
    });
    (void)co_await sleep(1s);
    outer.stop();
    REQUIRE(outer.size() == 1);
    co_await outer.join();
  }(world.where, &seen));
  REQUIRE(seen.canceled == 1);
}

TEST_CASE("a timeout ends an operation") {
  memory_world world;
  auto const start = world.clock.now();
  block_on(world.where, []() -> task<> {
    auto const late = co_await with_timeout(1s, sleep(2s));
    REQUIRE(late.ec == errc::timed_out);
    auto const early = co_await with_timeout(2s, sleep(1s));
    REQUIRE(early);
    auto const never = co_await with_timeout(duration::max(), sleep(1s));
    REQUIRE(never);
    auto const at_once = co_await with_timeout(-1s, sleep(1s));
    REQUIRE(at_once.ec == errc::timed_out);
    // Both end in the same instant: the one that was armed first wins, and nothing ends twice.
    auto const same = co_await with_timeout(1s, sleep(1s));
    REQUIRE(same);
  }());
  REQUIRE(since(world, start) == 4s);
}

TEST_CASE("a timeout ends a task, after it has really ended") {
  memory_world world;
  notes seen;
  auto const work = [](duration length, notes* into) -> task<result<int>> {
    auto const slept = co_await sleep(length);
    ++into->ended;
    if (!slept) co_return slept.ec;
    co_return 5;
  };
  auto const stubborn = [](notes* into) -> task<result<int>> {
    (void)co_await sleep(24h);
    ++into->ended;
    co_return 6;
  };
  block_on(world.where, [](auto make, auto resist, notes* into) -> task<> {
    auto const late = co_await with_timeout(1s, make(2s, into));
    REQUIRE(late.ec == errc::timed_out);
    REQUIRE(into->ended == 1);
    auto const early = co_await with_timeout(2s, make(1s, into));
    REQUIRE(early.data == 5);
    auto const won = co_await with_timeout(1s, resist(into));
    REQUIRE(won);
    REQUIRE(won.data == 6);
  }(work, stubborn, &seen));
  REQUIRE(seen.ended == 3);
}

TEST_CASE("a timeout of a task that returns no result says whether the deadline passed") {
  memory_world world;
  block_on(world.where, []() -> task<> {
    static_assert(std::is_same_v<decltype(with_timeout(1s, after(1s, 5))), task<result<int>>>);
    static_assert(std::is_same_v<decltype(with_timeout(1s, nothing())), task<result<>>>);
    auto const early = co_await with_timeout(2s, after(1s, 5));
    REQUIRE_FALSE(early.ec);
    REQUIRE(early.data == 5);
    auto const late = co_await with_timeout(1s, after(2s, 6));
    REQUIRE(late.ec == errc::timed_out);
    REQUIRE(late.data == 6);  // what it returned nevertheless
    auto const done = co_await with_timeout(1s, nothing());
    REQUIRE_FALSE(done.ec);
    notes seen;
    auto const stopped = co_await with_timeout(1s, wait_long(&seen));
    REQUIRE(stopped.ec == errc::timed_out);
    REQUIRE(seen.ended == 1);
    // A type that only moves.
    struct rare {
      rare() noexcept = default;
      explicit rare(int given) noexcept : value(std::make_unique<int>(given)) {}
      std::unique_ptr<int> value;
    };
    auto const make = []() -> task<rare> { co_return rare(7); };
    auto const moved = co_await with_timeout(1s, make());
    REQUIRE(*moved.data.value == 7);
  }());
  auto const fails = []() -> task<> { (void)co_await with_timeout(2s, throw_after(1s, "thrown")); };
  REQUIRE_THROWS_WITH(block_on(world.where, fails()), "thrown");
  REQUIRE_FALSE(world.where.next_deadline());
}

TEST_CASE("a timeout of a join stops the group and waits for its end") {
  memory_world world;
  notes seen;
  auto const start = world.clock.now();
  block_on(world.where, [](loop& where, notes* into) -> task<> {
    task_group group(where);
    group.spawn(wait_long(into));
    group.spawn(wait_long(into));
    auto const late = co_await with_timeout(1s, group.join());
    static_assert(std::is_same_v<decltype(late), result<> const>);
    REQUIRE(late.ec == errc::timed_out);
    REQUIRE(into->ended == 2);
    task_group quick(where);
    quick.spawn([]() -> task<> { (void)co_await sleep(1s); });
    auto const early = co_await with_timeout(2s, quick.join());
    REQUIRE_FALSE(early.ec);
    auto const empty = co_await with_timeout(1s, quick.join());
    REQUIRE_FALSE(empty.ec);
  }(world.where, &seen));
  REQUIRE(since(world, start) == 2s);
  REQUIRE_FALSE(world.where.next_deadline());
}

TEST_CASE("a stop from outside is no timeout") {
  memory_world world;
  std::error_code of_operation, of_task;
  task_group group(world.where);
  group.spawn([&]() -> task<> {
    auto const ended = co_await with_timeout(1h, sleep(2h));
    of_operation = ended.ec;
  });
  group.spawn([&]() -> task<> {
    auto const sleeping = []() -> task<result<>> { co_return co_await sleep(2h); };
    auto work = sleeping();
    auto const ended = co_await with_timeout(1h, std::move(work));
    of_task = ended.ec;
  });
  world.where.poll();
  group.stop();
  while (group.size() > 0) world.where.run_once();
  REQUIRE(of_operation == errc::canceled);
  REQUIRE(of_task == errc::canceled);
  REQUIRE_FALSE(world.where.next_deadline());
}

TEST_CASE("a stop token stops a task, from this thread or another") {
  notes seen;
  {
    memory_world world;
    std::stop_source source;
    source.request_stop();
    block_on(world.where, wait_long(&seen), source.get_token());
  }
  kernel_world world;
  std::stop_source source;
  std::jthread other;
  block_on(
      world.where,
      [](std::stop_source& from, std::jthread& thread, notes* into) -> task<> {
        thread = std::jthread([&from] { from.request_stop(); });
        co_await wait_long(into);
      }(source, other, &seen),
      source.get_token());
  REQUIRE(seen.canceled == 2);
  // A token that fires when the task has ended already reaches nobody.
  std::stop_source late;
  REQUIRE(block_on(world.where, after(0s, 1), late.get_token()) == 1);
  late.request_stop();
}
