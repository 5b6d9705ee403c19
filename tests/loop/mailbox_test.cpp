// SPDX-License-Identifier: BSD-2-Clause
// Wrong could go: a message from another thread is lost, runs twice, or does not wake the loop.
// Forced by: four threads that post as fast as they can while the loop goes to sleep after every message.
#include "loop/worlds.hpp"

#include <rdsco/block_on.hpp>
#include <rdsco/sleep.hpp>

#include <atomic>
#include <memory>
#include <thread>

using namespace rdsco;
using namespace rdsco::test;
using detail::mail;

namespace {

struct counted_mail : mail {
  explicit counted_mail(int* to) noexcept : mail(&count), into(to) {}
  static void count(mail& self) noexcept { ++*static_cast<counted_mail&>(self).into; }
  int* into;
};

}  // namespace

TEST_CASE("four threads post and the loop hears all of it, in each one's order") {
  constexpr int writers = 4;
  constexpr int each = 5000;
  loop where;
  std::array<int, writers> next{};
  bool in_order = true;
  int heard = 0;
  std::vector<std::jthread> threads;
  for (std::size_t writer = 0; writer < writers; ++writer)
    threads.emplace_back([&, writer] {
      for (int i = 0; i < each; ++i)
        where.post([&, writer, i] {
          in_order = in_order && next[writer]++ == i;
          if (++heard == writers * each) where.stop();
        });
    });
  where.run();
  REQUIRE(in_order);
  REQUIRE(heard == writers * each);
  REQUIRE(where.counters().mail == static_cast<std::uint64_t>(heard));
}

TEST_CASE("one message after the other wakes the loop each time") {
  loop where;
  std::atomic<int> heard{0};
  std::jthread writer([&] {
    for (int i = 0; i < 1000; ++i) {
      where.post([&] { heard.fetch_add(1); heard.notify_one(); });
      heard.wait(i);
    }
    where.stop();
  });
  where.run();
  REQUIRE(heard == 1000);
}

TEST_CASE("a message is posted once at a time, and can be taken back") {
  memory_world world;
  int count = 0;
  counted_mail one(&count), other(&count), third(&count);
  world.where.post(one);
  world.where.post(one);
  world.where.post(other);
  world.where.post(third);
  world.where.withdraw(other);
  world.where.withdraw(other);
  world.where.run_once();
  REQUIRE(count == 2);
  world.where.post(one);
  world.where.run_once();
  REQUIRE(count == 3);
}

TEST_CASE("a message that posts itself does not keep the loop from its timers") {
  memory_world world;
  struct again : mail {
    explicit again(loop& on) noexcept : mail(&repost), where(on) {}
    static void repost(mail& self) noexcept {
      auto& mine = static_cast<again&>(self);
      if (!mine.enough) mine.where.post(mine);
    }
    loop& where;
    bool enough = false;
  };
  again busy(world.where);
  world.where.post(busy);
  block_on(world.where, [](again* stop) -> task<> {
    for (int i = 0; i < 10; ++i) co_await yield();
    stop->enough = true;
  }(&busy));
  world.where.run_once();
  REQUIRE_FALSE(world.where.has_ready());
}

TEST_CASE("what is left in the mailbox of a loop that dies is dropped") {
  auto const shared = std::make_shared<int>(0);
  {
    memory_world world;
    world.where.post([shared] { ++*shared; });
    REQUIRE(shared.use_count() == 2);
  }
  REQUIRE(shared.use_count() == 1);
  REQUIRE(*shared == 0);
}

TEST_CASE("stop ends run, also beforehand") {
  memory_world world;
  world.where.stop();
  world.where.run();
  REQUIRE(world.where.counters().turns == 0);
  int count = 0;
  world.where.post([&] { count = 1; world.where.stop(); });
  world.where.run();
  REQUIRE(count == 1);
}
