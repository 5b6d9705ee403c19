// SPDX-License-Identifier: BSD-2-Clause
// Wrong could go: a cancel is lost, an operation that was stopped beforehand starts all the same, or a late completion reaches
// whoever has the slot by then. Forced by: every operation stopped before it starts and while it waits, and slots reused at once.
#include "loop/worlds.hpp"

#include <rdsco/block_on.hpp>
#include <rdsco/sleep.hpp>
#include <rdsco/when_any.hpp>
#include <rdsco/with_timeout.hpp>

#include <chrono>

using namespace rdsco;
using namespace rdsco::test;
using namespace std::chrono_literals;
using detail::io_handle;
using detail::readiness;

namespace {

enum class op { accept, connect, send, receive, ready, sleep };
constexpr std::array all_ops{op::accept, op::connect, op::send, op::receive, op::ready, op::sleep};

// Everything one operation of each kind needs in order to wait for ever.
struct bench {
  io_handle listener;
  io_handle unconnected;
  stream_pair streams;
  endpoint nowhere;
  bench() noexcept = default;
};

task<std::error_code> run(loop& where, bench const& on, op which) {
  std::array<std::byte, 100> bytes{};
  switch (which) {
    case op::accept: {
      detail::stream_tuning const tuning;
      co_return (co_await detail::accept_awaiter(where, on.listener, tuning)).ec;
    }
    case op::connect: co_return (co_await detail::connect_awaiter(where, on.unconnected, on.nowhere)).ec;
    case op::send: co_return (co_await detail::send_awaiter(where, on.streams.client, const_buffer(bytes))).ec;
    case op::receive: co_return (co_await detail::receive_awaiter(where, on.streams.client, mutable_buffer(bytes))).ec;
    case op::ready: co_return (co_await detail::ready_awaiter(where, on.streams.client, readiness::readable)).ec;
    case op::sleep: co_return (co_await sleep(24h)).ec;
  }
  co_return std::error_code();
}

task<> note(task<std::error_code> work, std::error_code* into) { *into = co_await std::move(work); }

task<bench> make_bench(loop& where) {
  bench made;
  made.streams = co_await connected_pair(where);
  endpoint const any_port(localhost, 0);
  REQUIRE(where.io().listen(any_port, 1, made.listener) == 0);
  detail::stream_tuning const tuning;
  REQUIRE(where.io().open_stream(localhost, tuning, made.unconnected) == 0);
  fill(where, made.streams.client);
  made.nowhere = endpoint(address::v4(127, 0, 0, 9), 1);
  co_return made;
}

void close_bench(loop& where, bench const& made) {
  where.io().close(made.listener, false);
  where.io().close(made.unconnected, false);
  close_pair(where, made.streams);
}

task<> stopped_before(loop& where, op which) {
  bench const on = co_await make_bench(where);
  auto const submissions = where.io().counters().submissions;
  task_group group(where);
  group.stop();
  std::error_code ec;
  group.spawn(note(run(where, on, which), &ec));
  co_await group.join();
  REQUIRE(ec == errc::canceled);
  REQUIRE(where.io().counters().submissions == submissions);
  close_bench(where, on);
}

task<> stopped_while_waiting(loop& where, op which) {
  bench const on = co_await make_bench(where);
  for (int round = 0; round < 50; ++round) {
    task_group group(where);
    std::error_code ec;
    group.spawn(note(run(where, on, which), &ec));
    // Stopped before its submission reached the kernel in the even rounds, after it in the odd ones.
    co_await yield();
    if (round % 2 == 1) (void)co_await sleep(1ns);
    group.stop();
    co_await group.join();
    REQUIRE(ec == errc::canceled);
  }
  close_bench(where, on);
}

}  // namespace

TEMPLATE_TEST_CASE("stopped before it starts", "", kernel_world, memory_world) {
  TestType world;
  for (op const which : all_ops) block_on(world.where, stopped_before(world.where, which));
  REQUIRE(world.where.io().operations_in_flight() == 0);
}

TEST_CASE("stopped while it waits, on the kernel") {
  kernel_world world;
  // A connect over the loopback interface ends at once, one way or the other.
  for (op const which : {op::accept, op::send, op::receive, op::ready, op::sleep})
    block_on(world.where, stopped_while_waiting(world.where, which));
  REQUIRE(world.where.io().operations_in_flight() == 0);
}

TEST_CASE("stopped while it waits, in memory") {
  memory_world world;
  world.network.silence(localhost, address::v4(127, 0, 0, 9), true);
  for (op const which : all_ops) block_on(world.where, stopped_while_waiting(world.where, which));
  REQUIRE(world.where.io().operations_in_flight() == 0);
}

namespace {

// Bytes arrive at about the time of the cancel. Whatever wins: a byte is received exactly once.
task<> race_with_bytes(loop& where, int rounds) {
  auto const streams = co_await connected_pair(where);
  auto const byte = counted_bytes(1);
  std::size_t received = 0;
  for (int round = 0; round < rounds; ++round) {
    task_group group(where);
    std::array<std::byte, 1> into;
    result<std::size_t> got;
    group.spawn([&]() -> task<> { got = co_await detail::receive_awaiter(where, streams.server, mutable_buffer(into)); });
    co_await yield();
    if (round % 3 != 0) (void)co_await sleep(1ns);
    co_await send_all(where, streams.client, byte);
    if (round % 2 != 0) (void)co_await sleep(1ns);
    group.stop();
    co_await group.join();
    if (got) {
      received += got.data;
    } else {
      REQUIRE(got.ec == errc::canceled);
    }
    // A second operation takes the slot over at once.
    if (!got) received += (co_await receive_count(where, streams.server, 1)).size();
    REQUIRE(received == static_cast<std::size_t>(round) + 1);
  }
  close_pair(where, streams);
}

task<> late_cancel(loop& where) {
  auto const streams = co_await connected_pair(where);
  auto const byte = counted_bytes(1);
  std::array<std::byte, 1> into;
  for (int round = 0; round < 100; ++round) {
    co_await send_all(where, streams.client, byte);
    auto got = co_await with_timeout(0s, detail::receive_awaiter(where, streams.server, mutable_buffer(into)));
    // It completed in spite of the deadline, or it did not and nothing was lost.
    if (!got) {
      REQUIRE(got.ec == errc::timed_out);
      auto const late = co_await receive_count(where, streams.server, 1);
      REQUIRE(late.size() == 1);
    }
  }
  close_pair(where, streams);
}

}  // namespace

TEMPLATE_TEST_CASE("bytes and cancels race", "", kernel_world, memory_world) {
  TestType world;
  block_on(world.where, race_with_bytes(world.where, 300));
  block_on(world.where, late_cancel(world.where));
  REQUIRE(world.where.io().operations_in_flight() == 0);
}

namespace {

// Many operations in a ring of two entries: submissions and cancels find no room, and none may be lost.
task<> crowd(loop& where) {
  auto const streams = co_await connected_pair(where);
  task_group group(where);
  int canceled = 0;
  for (int i = 0; i < 300; ++i)
    group.spawn([&]() -> task<> {
      auto const got = co_await detail::ready_awaiter(where, streams.server, readiness::readable);
      canceled += got.ec == errc::canceled ? 1 : 0;
    });
  co_await yield();
  group.stop();
  co_await group.join();
  REQUIRE(canceled == 300);
  close_pair(where, streams);
}

}  // namespace

TEST_CASE("cancels are not dropped when the queue is small") {
  loop_options options;
  options.ring_entries = 2;
  options.completion_entries = 2;
  loop where(options);
  block_on(where, crowd(where));
  REQUIRE(where.io().operations_in_flight() == 0);
}
