// SPDX-License-Identifier: BSD-2-Clause
// Wrong could go: one who always has something to do keeps timers, completions or others from their turn, or makes the loop
// sleep on work that was put off, or a stop() keeps it from sleeping at all.
// Forced by: items that queue themselves again, spinners that always find something, and turns that are counted.
#include "loop/worlds.hpp"

#include <rdsco/block_on.hpp>
#include <rdsco/sleep.hpp>
#include <rdsco/task_group.hpp>

using namespace rdsco;
using namespace rdsco::test;
using namespace std::chrono_literals;

namespace {

struct carried : detail::ready_item {
  explicit carried(loop& on) noexcept : ready_item(&again), where(on) {}
  static void again(ready_item& self) noexcept {
    auto& mine = static_cast<carried&>(self);
    ++mine.runs;
    if (mine.runs < mine.wanted) mine.where.make_ready_next_turn(mine);
  }
  loop& where;
  int runs = 0;
  int wanted = 10;
};

}  // namespace

TEST_CASE("what is put off to the next turn runs once a turn, and the loop does not sleep on it") {
  memory_world world;
  carried item(world.where);
  world.where.make_ready(item);
  for (int turn = 1; turn <= item.wanted; ++turn) {
    REQUIRE(world.where.has_ready());
    // A wait that nothing can end would abort here.
    REQUIRE(world.where.run_once());
    REQUIRE(item.runs == turn);
  }
  REQUIRE_FALSE(world.where.has_ready());
}

TEST_CASE("timers expire between the turns of one who always goes on") {
  memory_world world;
  carried item(world.where);
  item.wanted = 1000;
  task_group group(world.where);
  int naps = 0;
  group.spawn([](int* count) -> task<> {
    for (; *count < 100; ++*count) (void)co_await sleep(1ms);
  }(&naps));
  world.where.make_ready(item);
  world.where.run_once();
  for (int turn = 0; turn < 99; ++turn) {
    world.clock.advance(1ms);
    world.where.run_once();
    REQUIRE(naps == turn + 1);
  }
  while (world.where.has_ready()) world.where.run_once();
  world.clock.advance(1ms);
  while (group.size() != 0) world.where.run_once();
}

TEST_CASE("what is put off is queued once, behind what was ready already") {
  memory_world world;
  std::vector<int> order;
  struct noting : detail::ready_item {
    noting(int which, std::vector<int>* into) noexcept : ready_item(&note), number(which), to(into) {}
    static void note(ready_item& self) noexcept {
      auto& mine = static_cast<noting&>(self);
      mine.to->push_back(mine.number);
    }
    int number;
    std::vector<int>* to;
  };
  noting first(1, &order), second(2, &order), third(3, &order);
  world.where.make_ready_next_turn(first);
  world.where.make_ready_next_turn(second);
  world.where.make_ready(first);
  world.where.make_ready(third);
  world.where.poll();
  REQUIRE(order == std::vector<int>({3, 1, 2}));
  world.where.make_ready_next_turn(second);
  world.where.make_ready_next_turn(second);
  world.where.poll();
  REQUIRE(order == std::vector<int>({3, 1, 2, 2}));
  REQUIRE_FALSE(world.where.has_ready());
}

namespace {

/// Finds something whenever it is asked.
class lucky final : public detail::spinner {
 public:
  explicit lucky(loop& where) noexcept : where_(where) { where_.add_spinner(*this); }
  ~lucky() { where_.remove_spinner(*this); }
  [[nodiscard]] bool expecting() const noexcept override { return true; }
  bool spin() noexcept override { return ++finds, true; }
  void before_wait() noexcept override {}
  int finds = 0;

 private:
  loop& where_;
};

}  // namespace

TEST_CASE("those who look for bytes find them in turns") {
  loop where;
  lucky one(where), two(where), three(where);
  for (int turn = 0; turn < 30; ++turn) where.poll();
  REQUIRE(one.finds == 10);
  REQUIRE(two.finds == 10);
  REQUIRE(three.finds == 10);
}

TEST_CASE("a turn after one that put work off asks at once") {
  loop where;
  lucky one(where);
  carried item(where);
  where.make_ready_next_turn(item);
  while (item.runs < item.wanted) where.run_once();
  REQUIRE(one.finds == item.wanted);
}

TEST_CASE("a stop that nobody took does not keep others that turn the loop from sleeping") {
  loop where;
  where.stop();
  auto const turns = where.counters().turns;
  block_on(where, []() -> task<> { (void)co_await sleep(50ms); }());
  REQUIRE(where.counters().turns - turns < 50);
  where.run();  // takes it, and returns at once
  task_group group(where);
  group.spawn([&]() -> task<> {
    where.stop();
    co_return;
  });
  where.run();
  REQUIRE(group.size() == 0);
}
