// SPDX-License-Identifier: BSD-2-Clause
// Wrong could go: bytes lost, repeated or left behind between connect, accept, send, receive, reset and close; a stream whose dead
// peer nobody notices, or whose small messages wait for one another.
// Forced by: two ends on one loop that compare every byte, with full send buffers and with lent memory, on both backends; the
// kernel asked what it was told of both ends.
#include "loop/worlds.hpp"

#include <rdsco/block_on.hpp>
#include <rdsco/sleep.hpp>

#include <cerrno>
#include <chrono>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

using namespace rdsco;
using namespace rdsco::test;
using detail::io_handle;

namespace {

task<> carry_much(loop& where) {
  auto const bytes = counted_bytes(3'000'000);
  auto const streams = co_await connected_pair(where);
  auto [sent, got] = co_await when_all(send_all(where, streams.client, bytes), receive_count(where, streams.server, bytes.size()));
  REQUIRE(got == bytes);
  REQUIRE(where.io().shutdown_send(streams.client) == 0);
  auto const rest = co_await receive_count(where, streams.server, 1);
  REQUIRE(rest.empty());
  close_pair(where, streams);
}

task<> reset_one_end(loop& where) {
  auto const streams = co_await connected_pair(where);
  where.io().close(streams.client, true);
  std::array<std::byte, 10> into;
  auto const got = co_await detail::receive_awaiter(where, streams.server, mutable_buffer(into));
  REQUIRE(got.ec == std::errc::connection_reset);
  where.io().close(streams.server, false);
}

task<> connect_to_nobody(loop& where) {
  io_handle listener, stream;
  endpoint const any_port(localhost, 0);
  REQUIRE(where.io().listen(any_port, 1, listener) == 0);
  endpoint const at = where.io().ends(listener).first;
  where.io().close(listener, false);
  detail::stream_tuning const tuning;
  REQUIRE(where.io().open_stream(localhost, tuning, stream) == 0);
  auto const connected = co_await detail::connect_awaiter(where, stream, at);
  REQUIRE(connected.ec == std::errc::connection_refused);
  where.io().close(stream, false);
}

task<> readiness_comes(loop& where) {
  auto const streams = co_await connected_pair(where);
  auto const writable = co_await detail::ready_awaiter(where, streams.client, detail::readiness::writable);
  REQUIRE(includes(writable.data, detail::readiness::writable));
  auto const bytes = counted_bytes(3);
  auto [sent, readable] = co_await when_all(send_all(where, streams.client, bytes), [](loop& l, io_handle stream) -> task<detail::readiness> {
    auto got = co_await detail::ready_awaiter(l, stream, detail::readiness::readable);
    co_return got.value();
  }(where, streams.server));
  REQUIRE(includes(readable, detail::readiness::readable));
  auto const got = co_await receive_count(where, streams.server, 3);
  REQUIRE(got == bytes);
  close_pair(where, streams);
}

task<> gather_and_scatter(loop& where) {
  auto const streams = co_await connected_pair(where);
  auto const bytes = counted_bytes(900);
  // Empty parts in between, and more parts than one submission holds.
  std::vector<const_buffer> parts;
  for (std::size_t at = 0; at < bytes.size(); at += 9) {
    parts.emplace_back(const_buffer(bytes).subspan(at, 9));
    parts.emplace_back();
  }
  REQUIRE(where.io().try_send(streams.client, parts) > 0);
  std::vector<std::byte> got(bytes.size());
  std::vector<mutable_buffer> into;
  for (std::size_t at = 0; at < got.size(); at += 90) into.emplace_back(mutable_buffer(got).subspan(at, 90));
  (void)co_await detail::ready_awaiter(where, streams.server, detail::readiness::readable);
  auto const count = where.io().try_receive(streams.server, into);
  REQUIRE(count > 9);
  got.resize(static_cast<std::size_t>(count));
  REQUIRE(std::equal(got.begin(), got.end(), bytes.begin()));
  close_pair(where, streams);
}

task<> acknowledged(loop& where) {
  auto const streams = co_await connected_pair(where);
  REQUIRE(where.io().unacknowledged(streams.client) == 0U);
  REQUIRE(where.io().enable_acknowledgement_events(streams.client));
  auto const bytes = counted_bytes(1000);
  co_await send_all(where, streams.client, bytes);
  co_await send_all(where, streams.client, bytes);
  std::uint64_t known = 0;
  while (known < 2000) {
    auto const event = co_await detail::ready_awaiter(where, streams.client, detail::readiness::error);
    REQUIRE(includes(event.data, detail::readiness::error));
    while (auto const next = where.io().next_acknowledgement(streams.client)) {
      REQUIRE(*next >= known);
      known = *next;
    }
  }
  REQUIRE(known == 2000);
  REQUIRE(where.io().unacknowledged(streams.client) == 0U);
  auto const got = co_await receive_count(where, streams.server, 2000);
  REQUIRE(got.size() == 2000);
  close_pair(where, streams);
}

// One receive into lent memory.
struct lent_receive : detail::receive_operation {
  explicit lent_receive(int* completions) noexcept : receive_operation(&ended), count(completions) {}
  static void ended(detail::io_operation& self) noexcept { ++*static_cast<lent_receive&>(self).count; }
  int* count;
};

task<> turns(loop& where, int const* count, int wanted) {
  while (*count < wanted) (void)co_await sleep(where, std::chrono::microseconds(10));
}

task<> lent_memory(loop& where) {
  auto const streams = co_await connected_pair(where);
  auto const bytes = counted_bytes(100);
  int count = 0;
  for (int round = 0; round < 200; ++round) {
    lent_receive one(&count);
    where.io().receive(streams.server, one);
    co_await send_all(where, streams.client, bytes);
    co_await turns(where, &count, round + 1);
    REQUIRE(one.result == 100);
    REQUIRE(std::equal(one.bytes.begin(), one.bytes.end(), bytes.begin(), bytes.end()));
    where.io().release_received(one);
    REQUIRE(one.lent == 0);
  }
  REQUIRE(where.io().shutdown_send(streams.client) == 0);
  lent_receive last(&count);
  where.io().receive(streams.server, last);
  co_await turns(where, &count, 201);
  REQUIRE(last.result == 0);
  REQUIRE(last.lent == 0);
  close_pair(where, streams);
}

// The stream's option as the kernel has it. An io_handle of the kernel's backend is its descriptor.
int option_of(io_handle stream, int level, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  REQUIRE(::getsockopt(static_cast<int>(stream.value), level, name, &value, &length) == 0);
  return value;
}

}  // namespace

TEMPLATE_TEST_CASE("streams", "", kernel_world, memory_world) {
  TestType world;
  SECTION("carry more bytes than their buffers hold") { block_on(world.where, carry_much(world.where)); }
  SECTION("are reset") { block_on(world.where, reset_one_end(world.where)); }
  SECTION("are refused") { block_on(world.where, connect_to_nobody(world.where)); }
  SECTION("become ready") { block_on(world.where, readiness_comes(world.where)); }
  SECTION("gather and scatter") { block_on(world.where, gather_and_scatter(world.where)); }
  SECTION("tell what is acknowledged") { block_on(world.where, acknowledged(world.where)); }
  SECTION("lend memory") { block_on(world.where, lent_memory(world.where)); }
  REQUIRE(world.where.io().operations_in_flight() == 0);
  REQUIRE(world.where.frames() == 0);
}

TEST_CASE("an address has one listener, and must be ours") {
  kernel_world world;
  io_handle first, second;
  REQUIRE(world.where.io().listen(endpoint(localhost, 0), 4, first) == 0);
  REQUIRE(world.where.io().listen(world.where.io().ends(first).first, 4, second) == -EADDRINUSE);
  REQUIRE(world.where.io().listen(endpoint(address::v4(192, 0, 2, 1), 0), 4, second) == -EADDRNOTAVAIL);
  world.where.io().close(first, false);
}

TEST_CASE("both ends of a stream send without delay, and notice a dead peer after 5 probes, one in 5 seconds, from 5 seconds on") {
  kernel_world world;
  auto const streams = block_on(world.where, connected_pair(world.where));
  for (io_handle const each : {streams.client, streams.server}) {
    INFO((each.value == streams.client.value ? "connected" : "accepted"));
    REQUIRE(option_of(each, IPPROTO_TCP, TCP_NODELAY) == 1);
    REQUIRE(option_of(each, SOL_SOCKET, SO_KEEPALIVE) == 1);
    REQUIRE(option_of(each, IPPROTO_TCP, TCP_KEEPIDLE) == 5);
    REQUIRE(option_of(each, IPPROTO_TCP, TCP_KEEPINTVL) == 5);
    REQUIRE(option_of(each, IPPROTO_TCP, TCP_KEEPCNT) == 5);
  }
  close_pair(world.where, streams);
}

TEST_CASE("a stream is tuned as it is told, at both ends") {
  kernel_world world;
  detail::stream_tuning plain;
  plain.no_delay = false;
  plain.keepalive_idle = std::chrono::seconds(0);
  plain.send_buffer = 50'000;
  plain.receive_buffer = 60'000;
  auto const streams = block_on(world.where, connected_pair(world.where, plain));
  for (io_handle const each : {streams.client, streams.server}) {
    INFO((each.value == streams.client.value ? "connected" : "accepted"));
    REQUIRE(option_of(each, IPPROTO_TCP, TCP_NODELAY) == 0);
    REQUIRE(option_of(each, SOL_SOCKET, SO_KEEPALIVE) == 0);
    // Linux counts its own overhead in, twice what is asked for.
    REQUIRE(option_of(each, SOL_SOCKET, SO_SNDBUF) == 100'000);
    REQUIRE(option_of(each, SOL_SOCKET, SO_RCVBUF) == 120'000);
  }
  close_pair(world.where, streams);
}
