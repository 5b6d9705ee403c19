// SPDX-License-Identifier: BSD-2-Clause
// Wrong could go: bytes lost, repeated or left in the ring between connect, accept, send, receive, reset and close.
// Forced by: two ends on one loop over 127.0.0.1 that count every byte, with full send buffers and with lent memory.
#include <rdsco/block_on.hpp>
#include <rdsco/detail/stream_operations.hpp>
#include <rdsco/loop.hpp>
#include <rdsco/task.hpp>
#include <rdsco/when_all.hpp>
#include <rdsco/with_timeout.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <numeric>
#include <vector>

using namespace rdsco;
using namespace std::chrono_literals;
using detail::io_handle;

namespace {

address const localhost = address::v4(127, 0, 0, 1);

struct pair_of_streams {
  io_handle client, server;
  pair_of_streams() noexcept = default;
  pair_of_streams(io_handle one, io_handle other) noexcept : client(one), server(other) {}
};

task<io_handle> accept_one(loop& where, io_handle listener, detail::stream_tuning tuning) {
  auto taken = co_await detail::accept_awaiter(where, listener, tuning);
  co_return taken.value().stream;
}

task<io_handle> connect_one(loop& where, endpoint to, detail::stream_tuning tuning) {
  io_handle stream;
  REQUIRE(where.io().open_stream(localhost, tuning, stream) == 0);
  auto connected = co_await detail::connect_awaiter(where, stream, to);
  connected.value();
  co_return stream;
}

task<pair_of_streams> connected_pair(loop& where, detail::stream_tuning tuning = {}) {
  io_handle listener;
  endpoint const any_port(localhost, 0);
  REQUIRE(where.io().listen(any_port, 16, listener) == 0);
  endpoint const at = where.io().ends(listener).first;
  auto [server, client] = co_await when_all(accept_one(where, listener, tuning), connect_one(where, at, tuning));
  where.io().close(listener, false);
  co_return pair_of_streams(client, server);
}

task<> send_all(loop& where, io_handle stream, const_buffer bytes) {
  while (!bytes.empty()) {
    auto sent = co_await detail::send_awaiter(where, stream, bytes);
    bytes = bytes.subspan(sent.value());
  }
  REQUIRE(where.io().shutdown_send(stream) == 0);
}

task<std::vector<std::byte>> receive_all(loop& where, io_handle stream) {
  std::vector<std::byte> all;
  std::array<std::byte, 5000> piece;
  for (;;) {
    auto received = co_await detail::receive_awaiter(where, stream, mutable_buffer(piece));
    if (received.value() == 0) co_return all;
    all.insert(all.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(received.data));
  }
}

std::vector<std::byte> counted_bytes(std::size_t count) {
  std::vector<std::byte> bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(i * 31 % 251);
  return bytes;
}

}  // namespace

TEST_CASE("a stream carries more bytes than its buffers hold") {
  loop where;
  auto const bytes = counted_bytes(8'000'000);
  block_on(where, [](loop& l, std::vector<std::byte> const& sent) -> task<> {
    auto const ends = co_await connected_pair(l);
    auto [nothing, got] = co_await when_all(send_all(l, ends.client, sent), receive_all(l, ends.server));
    REQUIRE(got == sent);
    l.io().close(ends.client, false);
    l.io().close(ends.server, false);
  }(where, bytes));
  REQUIRE(where.io().operations_in_flight() == 0);
  REQUIRE(where.frames() == 0);
}
