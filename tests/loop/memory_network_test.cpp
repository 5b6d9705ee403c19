// SPDX-License-Identifier: BSD-2-Clause
// Wrong could go: the network that other tests trust behaves unlike TCP, or two runs of one test differ.
// Forced by: two loops on it that connect, talk, are reset, cut off and reconnect in virtual time, twice, comparing every step.
#include "loop/worlds.hpp"

#include <rdsco/block_on.hpp>
#include <rdsco/sleep.hpp>
#include <rdsco/task_group.hpp>
#include <rdsco/with_timeout.hpp>

#include <string>

using namespace rdsco;
using namespace rdsco::test;
using namespace std::chrono_literals;
using detail::io_handle;

namespace {

address const host_a = address::v4(10, 0, 0, 1);
address const host_b = address::v4(10, 0, 0, 2);

struct two_hosts {
  manual_clock clock;
  memory_network network{clock};
  loop a{loop_options(), memory_seams(network)};
  loop b{loop_options(), memory_seams(network)};
  std::array<loop*, 2> both{&a, &b};
  std::string log;

  void note(char const* who, std::string const& what) {
    log += std::to_string(clock.now().time_since_epoch().count()) + ' ' + who + ' ' + what + '\n';
  }
};

task<> serve(two_hosts& world, int connections) {
  io_handle listener;
  endpoint const at(host_b, 16385);
  REQUIRE(world.b.io().listen(at, 4, listener) == 0);
  for (int i = 0; i < connections; ++i) {
    detail::stream_tuning const tuning;
    auto taken = co_await detail::accept_awaiter(world.b, listener, tuning);
    io_handle const stream = taken.value().stream;
    REQUIRE(taken.data.peer.host == host_a);
    for (;;) {
      std::array<std::byte, 700> into;
      auto const got = co_await with_timeout(10s, detail::receive_awaiter(world.b, stream, mutable_buffer(into)));
      world.note("b", got ? std::to_string(got.data) : got.ec.message());
      if (got.ec || got.data == 0) break;
    }
    world.b.io().close(stream, false);
  }
  world.b.io().close(listener, false);
}

task<io_handle> connect_to_b(two_hosts& world) {
  for (;;) {
    io_handle stream;
    detail::stream_tuning const tuning;
    REQUIRE(world.a.io().open_stream(host_a, tuning, stream) == 0);
    endpoint const peer(host_b, 16385);
    auto const connected = co_await with_timeout(1s, detail::connect_awaiter(world.a, stream, peer));
    world.note("a", connected ? "connected" : connected.ec.message());
    if (connected) co_return stream;
    world.a.io().close(stream, false);
    (void)co_await sleep(100ms);
  }
}

task<> talk(two_hosts& world) {
  auto const bytes = counted_bytes(2000);
  io_handle stream = co_await connect_to_b(world);
  co_await send_all(world.a, stream, bytes);
  (void)co_await sleep(1s);
  world.network.reset_streams(host_a, host_b);
  std::array<std::byte, 1> into;
  auto const broken = co_await detail::receive_awaiter(world.a, stream, mutable_buffer(into));
  REQUIRE(broken.ec == std::errc::connection_reset);
  world.a.io().close(stream, false);

  // Cut off: the other side hears nothing, not even the end.
  stream = co_await connect_to_b(world);
  world.network.silence(host_a, host_b, true);
  co_await send_all(world.a, stream, bytes);
  REQUIRE(world.a.io().unacknowledged(stream) == 2000U);
  (void)co_await sleep(20s);
  world.a.io().close(stream, true);
  world.network.silence(host_a, host_b, false);

  stream = co_await connect_to_b(world);
  co_await send_all(world.a, stream, bytes);
  REQUIRE(world.a.io().shutdown_send(stream) == 0);
  auto const end = co_await detail::receive_awaiter(world.a, stream, mutable_buffer(into));
  REQUIRE(end.data == 0);
  world.a.io().close(stream, false);
}

std::string one_run() {
  two_hosts world;
  world.network.piece_bytes_max = 333;
  task_group at_a(world.a), at_b(world.b);
  at_a.spawn(talk(world));
  (void)world.a.poll();  // nobody listens yet: refused, and tried again
  at_b.spawn(serve(world, 3));
  REQUIRE(run_together(world.network, world.both, [&] { return at_a.size() == 0 && at_b.size() == 0; }));
  REQUIRE_FALSE(at_a.take_error());
  REQUIRE_FALSE(at_b.take_error());
  world.network.deliver();
  REQUIRE(world.network.streams_alive() == 0);
  return world.log;
}

}  // namespace

TEST_CASE("two loops connect, talk, are reset and reconnect, the same way each time") {
  std::string const first = one_run();
  INFO(first);
  REQUIRE(first.find("refused") != std::string::npos);
  REQUIRE(first.find("333") != std::string::npos);
  REQUIRE(first.find("reset") != std::string::npos);
  REQUIRE(first.find("timed out") != std::string::npos);
  REQUIRE(one_run() == first);
}

TEST_CASE("a full stream takes no more until the other side reads") {
  memory_world world;
  world.network.buffer_bytes = 1000;
  block_on(world.where, [](loop& where) -> task<> {
    auto const streams = co_await connected_pair(where);
    REQUIRE(fill(where, streams.client) == 2000);
    REQUIRE(where.io().unacknowledged(streams.client) == 1000U);
    auto const got = co_await receive_count(where, streams.server, 2000);
    REQUIRE(got.size() == 2000);
    REQUIRE(where.io().unacknowledged(streams.client) == 0U);
    close_pair(where, streams);
  }(world.where));
}

TEST_CASE("closing with unread bytes resets, and closed streams answer with a reset") {
  memory_world world;
  block_on(world.where, [](loop& where) -> task<> {
    auto streams = co_await connected_pair(where);
    auto const bytes = counted_bytes(10);
    co_await send_all(where, streams.client, bytes);
    where.io().close(streams.server, false);
    std::array<std::byte, 1> into;
    auto const reset = co_await detail::receive_awaiter(where, streams.client, mutable_buffer(into));
    REQUIRE(reset.ec == std::errc::connection_reset);
    where.io().close(streams.client, false);

    streams = co_await connected_pair(where);
    where.io().close(streams.server, false);
    auto const end = co_await detail::receive_awaiter(where, streams.client, mutable_buffer(into));
    REQUIRE(end.data == 0);
    co_await send_all(where, streams.client, bytes);
    auto const answered = co_await detail::receive_awaiter(where, streams.client, mutable_buffer(into));
    REQUIRE(!answered.ec);  // the end stays the end
    auto const refused = co_await detail::send_awaiter(where, streams.client, const_buffer(bytes));
    REQUIRE(refused.ec == std::errc::connection_reset);
    where.io().close(streams.client, false);
  }(world.where));
}

TEST_CASE("the next ready coroutine can be chosen from outside") {
  struct last_first : detail::ready_policy {
    std::size_t choose(std::size_t count) noexcept override { return count - 1; }
  };
  manual_clock clock;
  memory_network network(clock);
  last_first policy;
  auto world = memory_seams(network);
  world.policy = &policy;
  loop where(loop_options(), std::move(world));
  task_group group(where);
  std::string order;
  for (char name : {'a', 'b', 'c'}) group.spawn([&order](char mine) -> task<> { order += mine; co_return; }, name);
  while (group.size() > 0) where.run_once();
  REQUIRE(order == "cba");
}
