// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a window is bound twice by an adapter that repeats what stood in its queue, and the connection stands still.
// Forced by: offers behind datagrams, and a look at every request as it is posted.

#include "verbs/remote_nodes.hpp"

namespace {

using namespace rdsco;
using namespace rdsco::test;

constexpr int offers_made = 20;

// Each offer leaves with datagrams in front of it, in one batch.
task<> offers_behind_datagrams(remote_ends ends) {
  auto memory = zeros(100);
  region own = co_await local_memory(ends.owner, memory);
  for (int turn = 0; turn < offers_made; ++turn) {
    auto made = co_await with_timeout(patience, own.offer(ends.user.local().host, 0, 100));
    REQUIRE(!made.ec);
    for (int ahead = 0; ahead < 5; ++ahead) REQUIRE(!ends.owner.try_send_to("ahead", ends.user.local()));
    REQUIRE(!(co_await with_timeout(patience, ends.owner.send_to("here", ends.user.local(), made.data))).ec);
    for (int got = 0; got < 5; ++got) REQUIRE((co_await with_timeout(patience, ends.user.receive())).data.to_string() == "ahead");
    auto const told = co_await with_timeout(patience, ends.user.receive());
    REQUIRE(told.data.offered().has_value());
    REQUIRE(!(co_await with_timeout(patience, made.data.withdraw())).ec);
  }
  REQUIRE(!(co_await with_timeout(patience, own.close())).ec);
}

}  // namespace

// Soft-RoCE repeats what is behind a request that has to be sent again. A window that is bound twice stops its queue.
TEST_CASE("verbs: an adapter that repeats requests is given none to bind a window behind another") {
  two_with_memory<ib_windows> w(quick(), [](fake_fabric& on) { on.attributes.vendor_id = 0xffffff; });
  int bound = 0, behind_others = 0, unfenced = 0;
  w.fabric.on_posted = [&](ibv_send_wr const& request, std::size_t before) {
    bool const binds = request.opcode == IBV_WR_BIND_MW;
    bound += binds;
    behind_others += binds && before != 0;
    unfenced += request.opcode == IBV_WR_LOCAL_INV && (request.send_flags & IBV_SEND_FENCE) == 0;
  };
  w.run(offers_behind_datagrams);
  CHECK(bound == 2 * offers_made);
  CHECK(behind_others == 0);
  CHECK(unfenced == 0);
}

TEST_CASE("verbs: others take it at once") {
  two_with_memory<ib_windows> w;
  int behind_others = 0;
  w.fabric.on_posted = [&](ibv_send_wr const& request, std::size_t before) { behind_others += request.opcode == IBV_WR_BIND_MW && before != 0; };
  w.run(offers_behind_datagrams);
  CHECK(behind_others != 0);
}
