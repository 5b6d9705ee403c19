// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a system call for each small datagram. Everything still arrives, so only counting shows it.
// Forced by: a thousand datagrams that are queued in one turn, and both nodes' sends and receives counted.

#include "node/world.hpp"

namespace {

using namespace rdsco;
using namespace rdsco::test;

constexpr std::size_t count = 1000, payload_bytes = 64;
// With their headers they are 112 kB: a few runs of the outbox, as few pieces as TCP takes them in, and acknowledgements.
constexpr std::uint64_t calls_at_most = 16;

struct calls {
  explicit calls(node& of) : sends(of.counters().rdsco_tcp_sends), receives(of.counters().rdsco_tcp_receives) {}
  std::uint64_t sends, receives;
};

task<> receive_numbered(socket& into) {
  for (std::size_t index = 0; index < count; ++index) {
    auto const got = co_await with_timeout(patience, into.receive());
    REQUIRE(!got.ec);
    REQUIRE(matches(got.data, index, payload_bytes));
  }
}

task<> in_one_turn(world& w) {
  socket from = w.near_socket(), into = w.far_socket();
  auto const first = co_await with_timeout(patience, from.send_to({}, into.local(), until::acknowledged));
  REQUIRE(!first.ec);
  REQUIRE(!into.try_receive().ec);

  calls const near(w.near()), far(w.far());
  for (std::size_t index = 0; index < count; ++index) REQUIRE(!from.try_send_to(pattern(index, payload_bytes), into.local()));
  co_await receive_numbered(into);
  auto const drained = co_await from.drain(patience);
  REQUIRE(drained.data == 0);

  calls const near_after(w.near()), far_after(w.far());
  INFO(near_after.sends - near.sends << " sends and " << near_after.receives - near.receives << " receives of the sender, "
                                     << far_after.sends - far.sends << " and " << far_after.receives - far.receives << " of the receiver");
  CHECK(near_after.sends - near.sends <= calls_at_most);
  CHECK(far_after.receives - far.receives <= calls_at_most);
  CHECK(far_after.sends - far.sends <= calls_at_most);
  CHECK(near_after.receives - near.receives <= calls_at_most);
}

}  // namespace

TEST_CASE("a thousand small datagrams of one turn leave in few sends and are taken in few receives") { in(over_tcp, in_one_turn); }
