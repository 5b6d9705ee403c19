// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "support/memory_backend.hpp"

#include <rdsco/detail/stream_operations.hpp>
#include <rdsco/loop.hpp>
#include <rdsco/task.hpp>
#include <rdsco/when_all.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstddef>
#include <optional>
#include <vector>

namespace rdsco::test {

/// A loop on the kernel, and a loop on a network in memory: the same tests run on both.
struct kernel_world {
  loop where;
};
struct memory_world {
  manual_clock clock;
  memory_network network{clock};
  loop where{loop_options(), memory_seams(network)};
};

inline address const localhost = address::v4(127, 0, 0, 1);

struct stream_pair {
  detail::io_handle client, server;
  stream_pair() noexcept = default;
  stream_pair(detail::io_handle one, detail::io_handle other) noexcept : client(one), server(other) {}
};

inline task<detail::io_handle> accept_one(loop& where, detail::io_handle listener, detail::stream_tuning tuning) {
  auto taken = co_await detail::accept_awaiter(where, listener, tuning);
  co_return taken.value().stream;
}

inline task<detail::io_handle> connect_one(loop& where, endpoint to, detail::stream_tuning tuning) {
  detail::io_handle stream;
  REQUIRE(where.io().open_stream(localhost, tuning, stream) == 0);
  auto connected = co_await detail::connect_awaiter(where, stream, to);
  connected.value();
  co_return stream;
}

inline task<stream_pair> connected_pair(loop& where, detail::stream_tuning tuning = {}) {
  detail::io_handle listener;
  endpoint const any_port(localhost, 0);
  REQUIRE(where.io().listen(any_port, 16, listener) == 0);
  endpoint const at = where.io().ends(listener).first;
  auto [server, client] = co_await when_all(accept_one(where, listener, tuning), connect_one(where, at, tuning));
  where.io().close(listener, false);
  co_return stream_pair(client, server);
}

inline void close_pair(loop& where, stream_pair const& streams) {
  where.io().close(streams.client, false);
  where.io().close(streams.server, false);
}

inline task<> send_all(loop& where, detail::io_handle stream, const_buffer bytes) {
  while (!bytes.empty()) {
    auto sent = co_await detail::send_awaiter(where, stream, bytes);
    bytes = bytes.subspan(sent.value());
  }
}

inline task<std::vector<std::byte>> receive_count(loop& where, detail::io_handle stream, std::size_t count) {
  std::vector<std::byte> all;
  std::array<std::byte, 5000> piece;
  while (all.size() < count) {
    auto received = co_await detail::receive_awaiter(where, stream, mutable_buffer(piece));
    if (received.value() == 0) break;
    all.insert(all.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(received.data));
  }
  co_return all;
}

/// Fills the stream until it takes nothing any more.
inline std::size_t fill(loop& where, detail::io_handle stream) {
  std::vector<std::byte> const some(64 * 1024);
  const_buffer const from(some);
  std::size_t total = 0;
  for (int refused = 0; refused < 100;) {
    auto const sent = where.io().try_send(stream, std::span<const_buffer const>(&from, 1));
    refused = sent < 0 ? refused + 1 : 0;
    total += sent > 0 ? static_cast<std::size_t>(sent) : 0;
  }
  return total;
}

inline std::vector<std::byte> counted_bytes(std::size_t count) {
  std::vector<std::byte> bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(i * 31 % 251);
  return bytes;
}

}  // namespace rdsco::test
