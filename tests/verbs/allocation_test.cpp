// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: an allocation for each datagram or fragment, which no benchmark shows until memory is fragmented.
// Forced by: thousands of datagrams after a warm-up, with every operator new counted but those of the fake adapters.

#include "verbs/counting_apart.hpp"

#include <rdsco/sleep.hpp>

#include <array>

namespace {

using namespace rdsco;
using namespace rdsco::test;

constexpr int burst = 50;

// Catch allocates, so failures are noted and looked at outside.
task<> send_all(rdsco::socket& from, endpoint there, int count, std::size_t bytes, until what, bool& failed) {
  static std::array<std::byte, 20000> const payload{};
  for (int i = 0; i < count; ++i) {
    until const now = i % burst == 0 ? until::acknowledged : what;
    auto const sent = co_await from.send_to(const_buffer(payload).first(bytes), there, now);
    if (sent.ec) failed = true;
    if (now == until::acknowledged) co_await yield();
  }
}

task<> receive_all(rdsco::socket& into, int count, std::size_t bytes, bool& failed) {
  for (int i = 0; i < count; ++i) {
    auto const got = co_await with_timeout(patience, into.receive());
    if (got.ec || got.data.size() != bytes) failed = true;
    if (got.ec) co_return;
  }
}

task<> exchange(two_on_fabric& w, int count, std::size_t bytes, until what, bool& failed) {
  task_group group(w.where);
  group.spawn(send_all(w.from, w.into.local(), count, bytes, what, failed));
  co_await receive_all(w.into, count, bytes, failed);
  co_await group.join();
}

// As many blocks as can be under way at once, so that a deeper queue than in the warm-up is no surprise.
void stock(node& on, std::size_t count, std::size_t bytes) {
  std::vector<detail::datagram*> all;
  for (std::size_t i = 0; i < count; ++i) all.push_back(detail::datagram::make(*on.core().pool, bytes));
  for (detail::datagram* const each : all) detail::datagram::free(each);
}

}  // namespace

TEST_CASE("two thousand datagrams allocate nothing") {
  constexpr std::size_t buffer_bytes = 40'000;
  socket_options buffers;
  buffers.send_buffer = buffers.receive_buffer = buffer_bytes;
  for (until const what : {until::accepted, until::acknowledged}) {
    for (std::size_t const bytes : {std::size_t{0}, std::size_t{64}, std::size_t{20'000}}) {
      INFO(bytes << (what == until::accepted ? " bytes, accepted" : " bytes, acknowledged"));
      two_on<fake_ib> w({}, buffers);
      w.fabric.outside = &count_apart;
      std::size_t const deepest = bytes == 0 ? 3 * burst : 3 * (buffer_bytes / bytes + 1);
      for (node* const each : {&w.near, &w.far}) {
        stock(*each, deepest + 100, bytes);
        stock(*each, deepest + 100, 0);
      }
      bool failed = false;
      std::size_t allocated = 0;
      std::uint64_t fresh = 0;
      auto const all = [&](two_on_fabric& on) -> task<> {
        co_await exchange(on, 500, bytes, what, failed);
        allocated = of_the_node();
        fresh = fresh_blocks(on);
        co_await exchange(on, 2000, bytes, what, failed);
        allocated = of_the_node() - allocated;
        fresh = fresh_blocks(on) - fresh;
      };
      block_on(w.where, all(w));
      w.fabric.outside = nullptr;
      CHECK(allocated == 0);
      CHECK(fresh == 0);
      CHECK_FALSE(failed);
    }
  }
  CHECK(of_the_fake > 0);
}
