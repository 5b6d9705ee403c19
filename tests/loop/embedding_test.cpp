// SPDX-License-Identifier: BSD-2-Clause
// Wrong could go: a program with its own event loop sleeps for ever because the descriptor does not become readable for a timer,
// a message or left-over work, or burns its processor because the descriptor never rests.
// Forced by: plain epoll without a thread, waiting without a time limit, and counting how often it was woken.
#include "loop/worlds.hpp"
#include "support/host_program.hpp"

#include <rdsco/sleep.hpp>
#include <rdsco/task_group.hpp>

#include <chrono>
#include <thread>

using namespace rdsco;
using namespace rdsco::test;
using namespace std::chrono_literals;

namespace {

task<> nap(duration length, int times, int* done) {
  for (int i = 0; i < times; ++i) {
    (void)co_await sleep(length);
    ++*done;
  }
}

}  // namespace

TEST_CASE("a timer alone wakes the host, and nothing else does") {
  loop where;
  host_program host(where);
  task_group group(where);
  int done = 0;
  group.spawn(nap(5ms, 10, &done));
  where.poll();
  REQUIRE_FALSE(host.readable());
  host.run_until([&] { return group.size() == 0; });
  REQUIRE(done == 10);
  // One poll for each expiry, and now and then one more.
  REQUIRE(host.polls() <= 25);
}

TEST_CASE("the nearest deadline counts, also when it is armed later or taken back") {
  loop where;
  host_program host(where);
  task_group group(where), far(where);
  int done = 0;
  far.spawn(nap(1h, 1, &done));
  where.poll();
  REQUIRE_FALSE(host.readable());
  group.spawn(nap(1ms, 3, &done));
  where.poll();
  host.run_until([&] { return group.size() == 0; });
  REQUIRE(done == 3);
  REQUIRE(host.polls() <= 10);
  far.stop();
  where.poll();
  REQUIRE(far.size() == 0);
  where.poll();
  REQUIRE_FALSE(host.readable());
}

TEST_CASE("streams wake the host; an idle peer does not") {
  loop where;
  host_program host(where);
  task_group group(where);
  stream_pair streams;
  group.spawn([&]() -> task<> { streams = co_await connected_pair(where); });
  host.run_until([&] { return group.size() == 0; });
  auto const bytes = counted_bytes(100'000);
  std::vector<std::byte> got;
  group.spawn([&]() -> task<> { got = co_await receive_count(where, streams.server, bytes.size()); });
  where.poll();
  while (host.readable()) where.poll();
  REQUIRE(group.size() == 1);  // it waits for an idle peer, quietly
  group.spawn(send_all(where, streams.client, bytes));
  where.poll();
  host.run_until([&] { return group.size() == 0; });
  REQUIRE(got == bytes);
  close_pair(where, streams);
  where.poll();
  while (host.readable()) where.poll();
  REQUIRE_FALSE(host.readable());
}

TEST_CASE("work that is left over keeps the descriptor readable") {
  loop_options options;
  options.ready_budget = 3;
  loop where(options);
  host_program host(where);
  task_group group(where);
  for (int i = 0; i < 10; ++i) group.spawn([]() -> task<> { co_return; });
  where.poll();
  REQUIRE(group.size() == 7);
  REQUIRE(host.readable());
  host.run_until([&] { return group.size() == 0; });
  REQUIRE(host.polls() == 3);
  REQUIRE_FALSE(host.readable());
}

TEST_CASE("a message from another thread wakes the host") {
  loop where;
  host_program host(where);
  int heard = 0;
  for (int i = 0; i < 100; ++i) {
    std::jthread other([&] { where.post([&] { ++heard; }); });
    host.run_until([&] { return heard == i + 1; });
  }
  REQUIRE(heard == 100);
  REQUIRE(host.polls() <= 400);
}

TEST_CASE("what the host does between two polls wakes it") {
  loop where;
  host_program host(where);
  task_group group(where);
  stream_pair streams;
  group.spawn([&]() -> task<> { streams = co_await connected_pair(where); });
  host.run_until([&] { return group.size() == 0; });
  int done = 0;
  host.run_dry();

  group.spawn(nap(1ms, 1, &done));
  REQUIRE(host.readable());
  host.run_until([&] { return group.size() == 0; });
  REQUIRE(done == 1);
  host.run_dry();

  // A timer of the host's own, without a coroutine.
  struct alarm : detail::timer {
    explicit alarm(int* to) noexcept : timer(&ring), count(to) {}
    static void ring(timer& self) noexcept { ++*static_cast<alarm&>(self).count; }
    int* count;
  } alarm(&done);
  alarm.when = where.now();
  where.add_timer(alarm);
  REQUIRE(host.readable());
  host.run_until([&] { return done == 2; });
  host.run_dry();

  // A stop that has to reach the kernel.
  group.spawn([&]() -> task<> {
    std::array<std::byte, 1> into;
    auto const got = co_await detail::receive_awaiter(where, streams.server, mutable_buffer(into));
    REQUIRE(got.ec == errc::canceled);
  });
  host.run_dry();
  REQUIRE(group.size() == 1);
  group.stop();
  REQUIRE(host.readable());
  host.run_until([&] { return group.size() == 0; });
  close_pair(where, streams);
  host.run_dry();
}

TEST_CASE("a loop that was embedded can still be run") {
  loop where;
  host_program host(where);
  task_group group(where);
  int done = 0;
  group.spawn(nap(1ms, 3, &done));
  while (group.size() > 0) where.run_once();
  REQUIRE(done == 3);
}
