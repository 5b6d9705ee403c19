// SPDX-License-Identifier: BSD-2-Clause
// Wrong could go: frames that come from the heap again and again, and operations that allocate.
// Forced by: an operator new that counts, over a thousand rounds of everything that can be awaited.
#include "counting_new.hpp"
#include "loop/worlds.hpp"

#include <rdsco/block_on.hpp>
#include <rdsco/sleep.hpp>
#include <rdsco/task_group.hpp>
#include <rdsco/when_any.hpp>
#include <rdsco/with_timeout.hpp>

#include <stdexcept>

using namespace rdsco;
using namespace rdsco::test;
using namespace std::chrono_literals;
using detail::frame_pool;

TEST_CASE("a thread keeps a bounded amount") {
  std::vector<void*> frames;
  for (int i = 0; i < 1000; ++i) frames.push_back(frame_pool::allocate(8000));
  for (void* each : frames) frame_pool::release(each, 8000);
  std::size_t const before = allocations();
  for (void*& each : frames) each = frame_pool::allocate(8000);
  REQUIRE(allocations() - before > 800);  // 1 MiB of 8 KiB frames was kept, the rest went back
  for (void* each : frames) frame_pool::release(each, 8000);
}

namespace {

task<int> child(int value) {
  co_await yield();
  co_return value;
}

task<> work(loop& where, int rounds) {
  for (int i = 0; i < rounds; ++i) {
    int const got = co_await child(i);
    if (got != i) throw std::logic_error("wrong value");
    (void)co_await sleep(1ns);
    (void)co_await with_timeout(1h, sleep(1ns));
    auto [a, b] = co_await when_all(child(1), child(2));
    if (a + b != 3) throw std::logic_error("wrong sum");
    auto const first = co_await when_any(child(1), child(2));
    if (first.index != 0) throw std::logic_error("wrong winner");
    task_group group(where);
    for (int n = 0; n < 8; ++n) group.spawn([](int value) -> task<> { (void)co_await child(value); }, n);
    co_await group.join();
  }
}

}  // namespace

TEMPLATE_TEST_CASE("in steady state nothing is allocated", "", kernel_world, memory_world) {
  TestType world;
  block_on(world.where, work(world.where, 10));
  std::size_t const before = allocations();
  block_on(world.where, work(world.where, 1000));
  REQUIRE(allocations() == before);
  REQUIRE(world.where.frames() == 0);
}

namespace {

task<> ping(loop& where, stream_pair streams, int rounds) {
  std::array<std::byte, 64> bytes{};
  for (int i = 0; i < rounds; ++i) {
    auto const sent = co_await detail::send_awaiter(where, streams.client, const_buffer(bytes));
    if (sent.data != bytes.size()) throw std::logic_error("short send");
    auto const got = co_await detail::receive_awaiter(where, streams.server, mutable_buffer(bytes));
    if (got.data != bytes.size()) throw std::logic_error("short receive");
  }
}

}  // namespace

TEST_CASE("streams on the kernel allocate nothing in steady state") {
  kernel_world world;
  auto const streams = block_on(world.where, connected_pair(world.where));
  block_on(world.where, ping(world.where, streams, 10));
  std::size_t const before = allocations();
  block_on(world.where, ping(world.where, streams, 1000));
  REQUIRE(allocations() == before);
  close_pair(world.where, streams);
}
