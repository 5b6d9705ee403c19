// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: an allocation for each datagram, which no benchmark shows until memory is fragmented.
// Forced by: ten thousand datagrams after a warm-up, in every way, with every operator new and every fresh block counted.

#include "counting_new.hpp"
#include "node/node_core.hpp"
#include "node/world.hpp"

namespace {

using namespace rdsco;
using namespace rdsco::test;

constexpr int burst = 100;

// Catch allocates, so failures are noted and looked at outside.
struct outcome {
  bool failed = false;
};

task<> send_all(socket& from, endpoint there, int count, std::size_t bytes, until what, outcome& seen) {
  static std::array<std::byte, 20000> const payload{};
  for (int i = 0; i < count; ++i) {
    // Empty datagrams fill no buffer; so that no queue grows without bound, one of each burst waits for its acknowledgement, and the receiver has its turn.
    until const now = i % burst == 0 ? until::acknowledged : what;
    auto const sent = co_await from.send_to(const_buffer(payload).first(bytes), there, now);
    if (sent.ec) seen.failed = true;
    if (now == until::acknowledged) co_await yield();
  }
}

task<> receive_all(socket& into, int count, std::size_t bytes, outcome& seen) {
  for (int i = 0; i < count; ++i) {
    auto const got = co_await with_timeout(patience, into.receive());
    if (got.ec || got.data.size() != bytes) seen.failed = true;
    if (got.ec) co_return;
  }
}

struct shape {
  std::size_t bytes;
  until what;
};

task<> exchange(world& w, socket& from, socket& into, int count, shape of, outcome& seen) {
  task_group group(w.where);
  group.spawn(send_all(from, into.local(), count, of.bytes, of.what, seen));
  co_await receive_all(into, count, of.bytes, seen);
  co_await group.join();
}

std::uint64_t fresh_blocks(world& w) {
  std::uint64_t const near = w.near().core().pool->now().misses;
  return w.one_node() ? near : near + w.far().core().pool->now().misses;
}

// As many blocks as can be under way at once, so that a deeper queue than in the warm-up is no surprise.
void stock(node& on, std::size_t count, std::size_t bytes) {
  std::vector<detail::datagram*> all;
  for (std::size_t i = 0; i < count; ++i) all.push_back(detail::datagram::make(*on.core().pool, bytes));
  for (detail::datagram* const each : all) detail::datagram::free(each);
}

constexpr std::size_t buffer_bytes = 40000;

task<> steady(world& w, shape of) {
  socket from = w.near_socket(), into = w.far_socket();
  from.set_buffers(buffer_bytes, buffer_bytes);
  into.set_buffers(buffer_bytes, buffer_bytes);
  std::size_t const deepest = of.bytes == 0 ? 3 * burst : 3 * (buffer_bytes / of.bytes + 1);
  for (node* const each : {&w.near(), &w.far()}) {
    stock(*each, deepest + 100, of.bytes);
    stock(*each, deepest + 100, 0);
  }
  outcome seen;
  co_await exchange(w, from, into, 2000, of, seen);
  std::size_t const allocated = allocations();
  std::uint64_t const fresh = fresh_blocks(w);
  co_await exchange(w, from, into, 10000, of, seen);
  std::size_t const allocated_after = allocations();
  std::uint64_t const fresh_after = fresh_blocks(w);
  CHECK(allocated_after - allocated == 0);
  CHECK(fresh_after - fresh == 0);
  CHECK_FALSE(seen.failed);
}

}  // namespace

TEST_CASE("ten thousand datagrams allocate nothing") {
  for (until const what : {until::accepted, until::acknowledged}) {
    for (std::size_t const bytes : {std::size_t{0}, std::size_t{64}, std::size_t{20000}}) {
      INFO(bytes << (what == until::accepted ? " bytes, accepted" : " bytes, acknowledged"));
      shape of{bytes, what};
      in(every_way, [of](world& w) { return steady(w, of); });
    }
  }
}
