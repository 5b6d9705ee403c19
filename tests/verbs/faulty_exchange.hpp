// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "verbs/fake_nodes.hpp"

#include <rdsco/sleep.hpp>

#include <array>
#include <cstdint>
#include <span>

namespace rdsco::test {

// Around a fragment's size, and small in between.
inline constexpr std::array<std::size_t, 8> exchanged_sizes{0, 100, 4096, 4097, 20'000, 1, 9000, 64};
inline std::size_t exchanged_size(std::uint64_t index) { return exchanged_sizes[index % exchanged_sizes.size()]; }

inline task<> send_numbered(rdsco::socket& by, endpoint there, std::uint64_t count, until what = until::accepted) {
  for (std::uint64_t index = 0; index < count; ++index) {
    auto const payload = pattern(index, exchanged_size(index));
    auto const sent = co_await with_timeout(patience, by.send_to(payload, there, what));
    REQUIRE(!sent.ec);
  }
}

inline task<> receive_numbered(rdsco::socket& by, std::uint64_t count) {
  for (std::uint64_t index = 0; index < count; ++index) {
    auto const got = co_await with_timeout(patience, by.receive());
    INFO("datagram " << index);
    REQUIRE(!got.ec);
    REQUIRE(matches(got.data, index, exchanged_size(index)));
  }
}

// Load, until the socket or its node closes.
inline task<> send_endlessly(rdsco::socket& by, endpoint there, until what) {
  for (std::uint64_t index = 0;; ++index) {
    auto const payload = pattern(index, exchanged_size(index));
    auto const sent = co_await by.send_to(payload, there, what);
    if (sent.ec) co_return;
  }
}
inline task<> receive_endlessly(rdsco::socket& by) {
  for (;;) {
    auto const got = co_await by.receive();
    if (got.ec) co_return;
  }
}

/// `count` datagrams each way, every one accepted, delivered once and in order, and acknowledged.
inline task<> exchange(loop& where, rdsco::socket& one, rdsco::socket& other, std::uint64_t count) {
  task_group group(where);
  group.spawn(send_numbered(one, other.local(), count));
  group.spawn(send_numbered(other, one.local(), count));
  group.spawn(receive_numbered(one, count));
  group.spawn(receive_numbered(other, count));
  co_await group.join();
  auto const first = co_await one.drain(patience);
  auto const second = co_await other.drain(patience);
  CHECK(!first.ec);
  CHECK(!second.ec);
  CHECK(one.try_receive().ec);
  CHECK(other.try_receive().ec);
}

inline void exchange(two_on_fabric& w, std::uint64_t count) { block_on(w.where, exchange(w.where, w.from, w.into, count)); }

inline task<result<message>> next_of(rdsco::socket& by) { co_return co_await with_timeout(patience, by.receive()); }
inline task<result<>> sent_within(duration limit, rdsco::socket& by, std::span<std::byte const> payload, endpoint there) {
  co_return co_await with_timeout(limit, by.send_to(const_buffer(payload.data(), payload.size()), there, until::acknowledged));
}

inline task<> for_a_while(std::chrono::milliseconds length) { static_cast<void>(co_await sleep(length)); }

/// Runs the loop until it is so, or for too long.
template <class Condition>
[[nodiscard]] bool comes_true(loop& where, Condition condition) {
  auto const end = where.now() + patience;
  while (!condition() && where.now() < end) block_on(where, for_a_while(1ms));
  return condition();
}

inline verbs_options quick() {
  verbs_options made;
  made.reconnect_min = 1ms;
  made.reconnect_max = 4ms;
  return made;
}
inline verbs_options quick_and_small() {
  verbs_options made = quick();
  made.receives = 6;
  made.sends = 5;
  return made;
}

}  // namespace rdsco::test
