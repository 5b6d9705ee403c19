// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a datagram passes the read that it was sent behind, memory counts as withdrawn while the adapter has only been asked, or
// memory on an adapter that is gone is offered on.
// Forced by: reads that come late, an adapter that stops between two requests, and adapters that are pulled out, with memory windows and
// without.

#include "support/remote_contract.hpp"
#include "verbs/faulty_exchange.hpp"

namespace {

using namespace rdsco;
using namespace rdsco::test;

address const far_host = at("10.0.0.2");

bool has_source(std::span<std::byte const> frame) { return protocol::decode(frame.first<protocol::header_bytes>()).source_port != 0; }

// 'r': an operation is carried out, 'd': a datagram arrives.
std::shared_ptr<std::string> order_of(fake_fabric& fabric) {
  auto seen = std::make_shared<std::string>();
  fabric.on_remote = [seen](ibv_send_wr const&) { *seen += 'r'; };
  fabric.on_message = [seen](ibv_send_wr const&, std::span<std::byte const> frame) {
    if (has_source(frame)) *seen += 'd';
  };
  return seen;
}

task<> read_and_say_so(remote_ends ends, lent_memory& lent) {
  auto data = zeros(lent.memory.size());
  region const local = co_await local_memory(ends.user, data);
  auto const got = co_await with_timeout(patience, ends.user.rdma_read(local.all(), lent.remote, 0, "read"));
  REQUIRE(!got.ec);
  REQUIRE((co_await with_timeout(patience, ends.owner.receive())).data.to_string() == "read");
}
task<> add_and_say_so(remote_ends ends, lent_memory& lent) {
  auto const got = co_await with_timeout(patience, ends.user.fetch_add(lent.remote, 0, 1, "added"));
  REQUIRE(!got.ec);
  REQUIRE((co_await with_timeout(patience, ends.owner.receive())).data.to_string() == "added");
}

task<> withdraw(memory_offer& offered, bool& over) {
  auto const withdrawn = co_await with_timeout(patience, offered.withdraw());
  REQUIRE(!withdrawn.ec);
  over = true;
}

task<result<>> ended(memory_offer& offered) { co_return co_await with_timeout(patience, offered.over()); }

}  // namespace

TEMPLATE_TEST_CASE("a datagram does not pass the read before it", "", fake_ib, fake_iwarp) {
  two_on<TestType> w(quick());
  remote_ends const ends(w.into, w.from);
  lent_memory lent(64);
  block_on(w.where, lent.offer(ends, access::read));
  w.fabric.faults.late_reads = true;
  auto const seen = order_of(w.fabric);
  block_on(w.where, read_and_say_so(ends, lent));
  CHECK(*seen == "rd");
}

TEST_CASE("nor an atomic") {
  two_on<fake_ib> w(quick());
  remote_ends const ends(w.into, w.from);
  lent_memory lent(64);
  block_on(w.where, lent.offer(ends, access::atomic));
  w.fabric.faults.late_reads = true;
  auto const seen = order_of(w.fabric);
  block_on(w.where, add_and_say_so(ends, lent));
  CHECK(*seen == "rd");
}

TEST_CASE("memory is withdrawn when the adapter says that its window has ended, and not before") {
  two_on<fake_ib> w(quick());
  lent_memory lent(100);
  block_on(w.where, lent.offer(remote_ends(w.into, w.from)));
  // Behind a datagram, so that there is something else that the adapter tells of.
  w.fabric.hold_sends(far_host, true);
  REQUIRE(!w.into.try_send_to(pattern(0, 10), w.from.local()));
  turn(w.where, 20);
  bool over = false;
  task_group group(w.where);
  group.spawn(withdraw(lent.offered, over));
  turn(w.where, 20);
  w.fabric.on_message = [&](ibv_send_wr const&, std::span<std::byte const> frame) {
    if (has_source(frame)) w.fabric.hold_sends(far_host, true);
  };
  w.fabric.hold_sends(far_host, false);
  REQUIRE(!block_on(w.where, next_of(w.from)).ec);
  turn(w.where, 20);
  CHECK_FALSE(over);
  w.fabric.on_message = nullptr;
  w.fabric.hold_sends(far_host, false);
  block_on(w.where, joined(group));
  CHECK(over);
}

TEST_CASE("an adapter that is pulled out takes its regions along, and offers of them are over") {
  for (bool const windows : {true, false}) {
    INFO("windows: " << windows);
    two_on<fake_ib> w(quick(), {}, [windows](fake_fabric& on) { on.rules.windows = windows; });
    lent_memory lent(100);
    block_on(w.where, lent.offer(remote_ends(w.into, w.from)));
    w.fabric.remove_device(far_host);
    CHECK(block_on(w.where, ended(lent.offered)).ec == errc::no_device);
    CHECK_FALSE(lent.own.usable());
    CHECK(comes_true(w.where, [&] { return w.fabric.alive_on(far_host) == 0; }));
    w.fabric.restore_device(far_host);
    exchange(w, 8);
  }
}
