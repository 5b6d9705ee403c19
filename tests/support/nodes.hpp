// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/block_on.hpp>
#include <rdsco/loop.hpp>
#include <rdsco/node.hpp>
#include <rdsco/task_group.hpp>
#include <rdsco/with_timeout.hpp>

#include <catch2/catch.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

namespace rdsco::test {

using namespace std::chrono_literals;

// A bound for waiting on what must happen; far beyond what a slow sanitizer build needs. Nothing is asserted on time.
inline constexpr std::chrono::seconds patience{30};

inline address at(std::string_view text) { return address::parse(text).value(); }
inline endpoint to(std::string_view host, std::uint16_t port) { return endpoint(at(host), port); }
inline subnet net(std::string_view text) { return subnet::parse(text).value(); }

/// TCP ports of tests that run at the same time do not meet: one for each process, below those that the system gives out itself.
inline std::uint16_t tcp_port() { return static_cast<std::uint16_t>(10000 + getpid() % 20000); }

inline node_options on_tcp(std::string_view host) {
  node_options made;
  made.own(at(host)).allow(net("127.0.0.0/8")).allow(net("::1"));
  made.tcp.port = tcp_port();
  return made;
}

inline node open(loop& where, node_options const& options) {
  auto made = node::open(where, options);
  INFO(made.ec.message());
  REQUIRE(!made.ec);
  return std::move(made.data);
}

inline socket bound(node& on, std::string_view host, std::uint16_t port = 0, socket_options const& options = {}) {
  auto made = on.bind(at(host), port, options);
  INFO(made.ec.message());
  REQUIRE(!made.ec);
  return std::move(made.data);
}

/// Payload number `index`: its first bytes name it, the rest follows from them.
inline std::vector<std::byte> pattern(std::uint64_t index, std::size_t bytes) {
  std::vector<std::byte> made(bytes);
  for (std::size_t i = 0; i < bytes; ++i) made[i] = static_cast<std::byte>((index >> (8 * (i % 8))) * 31 + i / 8 * 17 + i);
  return made;
}

inline bool matches(message const& got, std::uint64_t index, std::size_t bytes) {
  std::vector<std::byte> scratch;
  auto const have = got.contiguous(scratch);
  auto const want = pattern(index, bytes);
  return have.size() == want.size() && std::equal(have.begin(), have.end(), want.begin());
}

}  // namespace rdsco::test
