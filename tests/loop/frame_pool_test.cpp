// SPDX-License-Identifier: BSD-2-Clause
// Wrong could go: frames that are misaligned, counted wrongly, or freed into the wrong thread.
// Forced by: frames of every size class, frames that change threads, and loops whose frames are counted while they live.
#include "loop/worlds.hpp"

#include <rdsco/block_on.hpp>
#include <rdsco/sleep.hpp>
#include <rdsco/task_group.hpp>

#include <cstdint>
#include <cstring>
#include <functional>
#include <thread>

using namespace rdsco;
using namespace rdsco::test;
using namespace std::chrono_literals;
using detail::frame_pool;

TEST_CASE("every size is aligned, usable and reused") {
  frame_pool::trim();
  auto const live = frame_pool::live();
  for (std::size_t bytes = 1; bytes < 20'000; bytes += 37) {
    void* const first = frame_pool::allocate(bytes);
    REQUIRE(reinterpret_cast<std::uintptr_t>(first) % alignof(std::max_align_t) == 0);
    std::memset(first, 0x5a, bytes);
    frame_pool::release(first, bytes);
    if (bytes > 16'000) continue;
    void* const second = frame_pool::allocate(bytes);
    REQUIRE(second == first);
    frame_pool::release(second, bytes);
  }
  REQUIRE(frame_pool::live() == live);
}

TEST_CASE("a frame is freed on another thread") {
  memory_world world;
  detail::frame_account account;
  void* frame = nullptr;
  {
    detail::frame_account::scope const counted(account);
    frame = frame_pool::allocate(500);
  }
  REQUIRE(account.live() == 1);
  auto const live = frame_pool::live();
  std::thread([&] {
    frame_pool::release(frame, 500);
    REQUIRE(frame_pool::live() == -1);
    // Its memory serves that thread.
    void* const again = frame_pool::allocate(500);
    REQUIRE(again == frame);
    frame_pool::release(again, 500);
  }).join();
  REQUIRE(account.live() == 0);
  REQUIRE(frame_pool::live() == live);
}

namespace {

task<int> child(int value) {
  co_await yield();
  co_return value;
}

}  // namespace

TEST_CASE("a loop counts the frames that were made in its turns") {
  memory_world world;
  auto outside = child(1);  // made before any turn
  REQUIRE(world.where.frames() == 0);
  task_group group(world.where);
  group.spawn([](loop& where) -> task<> {
    task_group inner(where);
    for (int i = 0; i < 5; ++i) inner.spawn([]() -> task<> { (void)co_await sleep(1s); });
    (void)co_await sleep(1ns);
    co_await inner.join();
  }, std::ref(world.where));
  world.where.run_once();
  world.where.run_once();
  REQUIRE(world.where.frames() > 5);
  while (group.size() > 0) world.where.run_once();
  REQUIRE(world.where.frames() == 0);
  REQUIRE(block_on(world.where, std::move(outside)) == 1);
}
