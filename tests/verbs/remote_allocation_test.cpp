// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: an allocation for each operation or offer, which no benchmark shows until memory is fragmented.
// Forced by: hundreds of offers, writes and reads after a warm-up, with every operator new counted but those of the fake adapters.

#include "verbs/counting_apart.hpp"
#include "verbs/remote_nodes.hpp"

namespace {

using namespace rdsco;
using namespace rdsco::test;

// Catch allocates, so failures are noted and looked at outside.
task<> offer_write_and_read(remote_ends ends, region& own, region& local, int times, bool& failed) {
  for (int turn = 0; turn < times; ++turn) {
    auto made = co_await own.offer(ends.user.local().host, 0, own.size());
    if (made.ec) failed = true;
    auto const told = co_await ends.owner.send_to("offer", ends.user.local(), made.data, until::acknowledged);
    auto const got = co_await with_timeout(patience, ends.user.receive());
    if (told.ec || got.ec) failed = true;
    auto const remote = got.data.offered();
    if (!remote) failed = true;
    if (failed) co_return;
    auto const wrote = co_await ends.user.rdma_write(local.all(), *remote);
    auto const read = co_await ends.user.rdma_read(local.all(), *remote, 0, "read");
    if (wrote.ec || read.ec) failed = true;
    for (int each = 0; each < 2; ++each) static_cast<void>(co_await with_timeout(patience, ends.owner.receive()));
    auto const withdrawn = co_await made.data.withdraw();
    if (withdrawn.ec) failed = true;
  }
}

}  // namespace

TEMPLATE_TEST_CASE("verbs: offers and operations allocate nothing", "", EVERY_WAY) {
  lent_across<TestType> w(10'000);
  w.fabric.outside = &count_apart;
  bool failed = false;
  std::size_t allocated = 0;
  std::uint64_t fresh = 0;
  auto const all = [&]() -> task<> {
    co_await offer_write_and_read(w.ends(), w.lent->own, w.local, 100, failed);
    allocated = of_the_node();
    fresh = fresh_blocks(w);
    co_await offer_write_and_read(w.ends(), w.lent->own, w.local, 300, failed);
    allocated = of_the_node() - allocated;
    fresh = fresh_blocks(w) - fresh;
  };
  block_on(w.where, all());
  w.fabric.outside = nullptr;
  CHECK(allocated == 0);
  CHECK(fresh == 0);
  CHECK_FALSE(failed);
  CHECK(of_the_fake > 0);
}
