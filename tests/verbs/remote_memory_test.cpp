// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a datagram is seen before the bytes it speaks of, memory is reached that was not offered, an operation ends while an
// adapter still uses its memory, or an offer of one connection is believed on the next.
// Forced by: the contract of remote memory on both fabrics, with memory windows and without; reads that come late, adapters that hold
// requests back, and connections that break between an offer and its use.

#include "verbs/remote_nodes.hpp"

#include <functional>

namespace {

using namespace rdsco;
using namespace rdsco::test;

// Offers for one use, each used, one after the other: what is registered for them can be taken again.
task<> used_by_one_operation(remote_ends ends) {
  lent_memory lent(100);
  offer_terms terms;
  terms.use_once = true;
  co_await lent.offer(ends, terms);
  auto data = pattern(3, 100);
  region const local = co_await local_memory(ends.user, data);
  REQUIRE(!(co_await with_timeout(patience, ends.user.rdma_write(local.all(), lent.remote, 0, "once"))).ec);
  static_cast<void>(co_await with_timeout(patience, ends.owner.receive()));
  REQUIRE(!(co_await with_timeout(patience, lent.offered.over())).ec);
  REQUIRE(!(co_await with_timeout(patience, lent.offered.withdraw())).ec);
}

task<> offer_once(rdsco::socket& by, endpoint to, region& own, memory_offer& offered) {
  offer_terms terms;
  terms.use_once = true;
  auto made = co_await own.offer(to.host, 0, own.size(), terms);
  offered = std::move(made).value();
  REQUIRE(!(co_await by.send_to("for once", to, offered)).ec);
}

// In the turn in which it came, so that the owner hears of both by one frame.
task<> use_at_once(rdsco::socket& by, region_slice local) {
  auto const got = co_await with_timeout(patience, by.receive());
  REQUIRE(got.data.offered().has_value());
  remote_memory const remote = *got.data.offered();
  REQUIRE(!(co_await with_timeout(patience, by.rdma_write(local, remote, 0, "used"))).ec);
}

task<> used_by_another(remote_ends ends, rdsco::socket& other) {
  REQUIRE(!(co_await with_timeout(patience, other.send_to("hello", ends.owner.local(), until::acknowledged))).ec);
  static_cast<void>(co_await with_timeout(patience, ends.owner.receive()));
  lent_memory lent(100);
  co_await lent.offer(ends);
  auto data = pattern(3, 100);
  region const local = co_await local_memory(other, data);
  REQUIRE((co_await with_timeout(patience, other.rdma_write(local.all(), lent.remote))).ec == errc::stale_offer);
  REQUIRE(!(co_await with_timeout(patience, ends.user.rdma_write(local.all(), lent.remote))).ec);
  static_cast<void>(co_await with_timeout(patience, ends.owner.receive()));
}

task<> no_atomics(remote_ends ends) {
  lent_memory lent(64);
  co_await lent.offer(ends);
  REQUIRE((co_await ends.user.fetch_add(lent.remote, 0, 1)).ec == errc::not_supported);
  REQUIRE((co_await lent.own.offer(ends.user.local().host, 0, 8, access::atomic)).ec == errc::not_supported);
}

}  // namespace

TEMPLATE_TEST_CASE("verbs: a write is seen before its datagram", "", EVERY_WAY) {
  two_with_memory<TestType> w;
  for (std::size_t const bytes : {1u, 4096u, 3u << 20}) w.run([=](remote_ends ends) { return write_is_seen_before_its_datagram(ends, bytes); });
  CHECK(w.near.counters().conn_reset == 0);
}

TEMPLATE_TEST_CASE("verbs: a read is complete when it completes, though it comes late", "", EVERY_WAY) {
  two_with_memory<TestType> w;
  w.fabric.faults.late_reads = true;
  for (std::size_t const bytes : {1u, 4096u, 3u << 20}) w.run([=](remote_ends ends) { return read_is_complete_when_it_completes(ends, bytes); });
  CHECK(w.near.counters().conn_reset == 0);
}

TEMPLATE_TEST_CASE("verbs: parts are gathered and scattered", "", EVERY_WAY) {
  two_with_memory<TestType> w;
  w.run(parts_are_gathered_and_scattered);
}

TEMPLATE_TEST_CASE("verbs: with rings of a few slots", "", EVERY_WAY) {
  verbs_options small = quick();
  small.receives = 4;
  small.sends = 3;
  two_with_memory<TestType> w(small);
  w.run(parts_are_gathered_and_scattered);
  w.run([](remote_ends ends) { return write_is_seen_before_its_datagram(ends, 5u << 20); });
  w.run([](remote_ends ends) { return read_is_complete_when_it_completes(ends, 5u << 20); });
}

TEMPLATE_TEST_CASE("verbs: what is not permitted fails, and the rest goes on", "", EVERY_WAY) {
  two_with_memory<TestType> w;
  w.run(what_is_not_permitted_fails);
}
TEMPLATE_TEST_CASE("verbs: withdrawn memory is out of reach", "", EVERY_WAY) {
  two_with_memory<TestType> w;
  w.run(withdrawn_is_out_of_reach);
}
TEMPLATE_TEST_CASE("verbs: what is offered for one use is used once", "", EVERY_WAY) {
  two_with_memory<TestType> w;
  w.run(used_once);
}
TEMPLATE_TEST_CASE("verbs: a silent operation tells nobody", "", EVERY_WAY) {
  two_with_memory<TestType> w;
  w.run(silent_tells_nobody);
}
TEMPLATE_TEST_CASE("verbs: misuse is told at once", "", EVERY_WAY) {
  two_with_memory<TestType> w;
  w.run(misuse_is_told_at_once);
}

TEMPLATE_TEST_CASE("verbs: atomics count", "", ib_windows, ib_slots) {
  two_with_memory<TestType> w;
  w.fabric.faults.late_reads = true;
  w.run(atomics_count);
}

TEMPLATE_TEST_CASE("verbs: where there are no atomics nobody can ask for them", "", iwarp_windows, iwarp_slots) {
  two_with_memory<TestType> w;
  w.run(no_atomics);
}

TEMPLATE_TEST_CASE("verbs: the send behind an operation ends a window that is for one use; a slot has its owner for that", "", EVERY_WAY) {
  two_with_memory<TestType> w;
  int ended_by_send = 0;
  w.fabric.on_message = [&](ibv_send_wr const& request, std::span<std::byte const>) { ended_by_send += request.opcode == IBV_WR_SEND_WITH_INV; };
  w.run(used_by_one_operation);
  CHECK(ended_by_send == (TestType::windows ? 2 : 0));
  CHECK(w.near.counters().conn_reset == 0);
  CHECK(w.far.counters().conn_reset == 0);
}

// The owner's own request to end it would fail, and take the connection along.
TEMPLATE_TEST_CASE("verbs: an offer for one use is withdrawn in the moment of its use", "", ib_windows, iwarp_windows) {
  two_with_memory<TestType> w;
  std::vector<std::byte> memory(100), data(100);
  region own = block_on(w.where, local_memory(w.into, memory));
  region const local = block_on(w.where, local_memory(w.from, data));
  memory_offer offered;
  int ended_by_send = 0;
  w.fabric.on_message = [&](ibv_send_wr const& request, std::span<std::byte const>) {
    if (request.opcode != IBV_WR_SEND_WITH_INV) return;
    ++ended_by_send;
    offered = memory_offer();
  };
  for (int turn = 0; turn < 3; ++turn) {
    task_group works(w.where);
    works.spawn(use_at_once(w.from, local.all()));
    works.spawn(offer_once(w.into, w.from.local(), own, offered));
    block_on(w.where, joined(works));
    CHECK(block_on(w.where, next_of(w.into)).data.to_string() == "used");
  }
  CHECK(ended_by_send == 3);
  CHECK(!close(w.where, own));
  CHECK(w.near.counters().conn_reset == 0);
  CHECK(w.far.counters().conn_reset == 0);
}

TEMPLATE_TEST_CASE("verbs: where adapters cannot end a window by a send its owner does", "", ib_windows, iwarp_windows) {
  two_with_memory<TestType> w(quick(), [](fake_fabric& on) {
    on.attributes.device_cap_flags &= ~static_cast<unsigned>(IBV_DEVICE_MEM_MGT_EXTENSIONS);
  });
  w.run(used_by_one_operation);
  CHECK(w.near.counters().conn_reset == 0);
  CHECK(w.far.counters().conn_reset == 0);
}

// It may be counted there as on its own, and its key would end that connection.
TEMPLATE_TEST_CASE("verbs: memory offered on one connection is not used on another to the same peer", "", ib_windows, ib_slots) {
  two_with_memory<TestType> w;
  rdsco::socket other = bound(w.near, "10.0.0.1", 4001);
  REQUIRE(!other.set_type_of_service(5));
  block_on(w.where, used_by_another(w.ends(), other));
  CHECK(w.near.counters().conn_reset == 0);
}
