// SPDX-License-Identifier: BSD-2-Clause
// Wrong could go: something is destroyed while somebody still waits in it, and memory is written after its end, much later.
// Forced by: doing just that in a child process, which must print why and abort, in release builds too.
#include "loop/worlds.hpp"
#include "support/last_words.hpp"

#include <rdsco/block_on.hpp>
#include <rdsco/sleep.hpp>
#include <rdsco/task_group.hpp>

#include <optional>
#include <stdexcept>

using namespace rdsco;
using namespace rdsco::test;
using namespace std::chrono_literals;

namespace {

task<> sleeper() { (void)co_await sleep(1h); }
task<> thrower() {
  co_await yield();
  throw std::runtime_error("unseen");
}

// Awaits a task by hand and lets it go half-way.
struct abandoned {
  struct promise_type : detail::promise_base {
    abandoned get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept {}
  };
};
abandoned await_in_foreign(loop& where, task<>& work) {
  detail::environment const around(&where, nullptr);
  co_await std::move(work).await_in(around);
}

using Catch::Contains;

}  // namespace

TEST_CASE("a task that waits cannot be destroyed") {
  REQUIRE_THAT(last_words([] {
                 memory_world world;
                 auto work = sleeper();
                 await_in_foreign(world.where, work);
                 work = task<>();
               }),
               Contains("a task was destroyed while it was suspended half-way"));
}

TEST_CASE("a task is awaited once") {
  REQUIRE_THAT(last_words([] {
                 memory_world world;
                 auto work = sleeper();
                 await_in_foreign(world.where, work);
                 await_in_foreign(world.where, work);
               }),
               Contains("awaited twice"));
}

TEST_CASE("a group is joined before it goes") {
  REQUIRE_THAT(last_words([] {
                 memory_world world;
                 std::optional<task_group> group(std::in_place, world.where);
                 group->spawn(sleeper());
                 world.where.poll();
                 group.reset();
               }),
               Contains("tasks still running"));
  REQUIRE_THAT(last_words([] {
                 memory_world world;
                 std::optional<task_group> group(std::in_place, world.where);
                 group->spawn(thrower());
                 world.where.poll();
                 world.where.poll();
                 group.reset();
               }),
               Contains("an exception that nobody saw"));
}

TEST_CASE("a loop goes last") {
  REQUIRE_THAT(last_words([] {
                 auto world = std::make_unique<memory_world>();
                 auto group = std::make_unique<task_group>(world->where);
                 group->spawn(sleeper());
                 world.reset();
               }),
               Contains("coroutines ready to run"));
  REQUIRE_THAT(last_words([] {
                 auto world = std::make_unique<memory_world>();
                 auto group = std::make_unique<task_group>(world->where);
                 group->spawn(sleeper());
                 world->where.poll();
                 world.reset();
               }),
               Contains("timers armed"));
  REQUIRE_THAT(last_words([] {
                 auto world = std::make_unique<kernel_world>();
                 detail::io_handle listener;
                 world->where.io().listen(endpoint(localhost, 0), 1, listener);
                 detail::stream_tuning const tuning;
                 detail::accept_operation never([](detail::io_operation&) noexcept {});
                 world->where.io().accept(listener, tuning, never);
                 world.reset();
               }),
               Contains("operations in flight"));
}

TEST_CASE("a handle is closed after its operations") {
  REQUIRE_THAT(last_words([] {
                 kernel_world world;
                 detail::io_handle listener;
                 world.where.io().listen(endpoint(localhost, 0), 1, listener);
                 detail::stream_tuning const tuning;
                 detail::accept_operation never([](detail::io_operation&) noexcept {});
                 world.where.io().accept(listener, tuning, never);
                 world.where.io().close(listener, false);
               }),
               Contains("closed with operations in flight"));
}

TEST_CASE("a loop is not run from inside itself") {
  REQUIRE_THAT(last_words([] {
                 memory_world world;
                 world.where.post([&] { world.where.run_once(); });
                 world.where.run_once();
               }),
               Contains("from inside one of its own turns"));
}

TEST_CASE("these tests would notice a process that does not abort") { REQUIRE(last_words([] {}).empty()); }
