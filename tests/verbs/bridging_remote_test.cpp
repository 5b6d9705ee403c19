// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: operations between two addresses of one adapter are done by the processor, whose atomics are none towards the adapter's;
// or by the adapter, but with keys, regions or offers of the other end, which the same node has; or they keep a node from closing.
// Forced by: the contract of remote memory between two addresses of one node, with memory windows and without, on adapters that count what
// they did; adapters that go away, and nodes destroyed with all of it under way.

#include "verbs/one_node.hpp"
#include "verbs/remote_nodes.hpp"

namespace {

using namespace rdsco;
using namespace rdsco::test;

address const one_host = at("10.0.0.1");
address const other_host = at("10.0.0.2");

template <class How>
struct one_with_memory : one_node<typename How::transport> {
  explicit one_with_memory(verbs_options const& tuning = quick())
      : one_node<typename How::transport>(tuning, {}, [](fake_fabric& adapters) { adapters.rules.windows = How::windows; }) {}
  [[nodiscard]] remote_ends ends() noexcept { return remote_ends(this->into, this->from); }
  template <class Case>
  void run(Case what) {
    block_on(this->where, what(ends()));
    block_on(this->where, what(remote_ends(this->from, this->into)));
  }
};

task<> counted_both_ways(remote_ends ends, rdsco::socket& beside) {
  // One word, that both the other address and its own count in.
  lent_memory lent(64), own(64);
  co_await lent.offer(ends, access::atomic);
  co_await own.offer(remote_ends(ends.owner, beside), access::atomic);
  REQUIRE((co_await with_timeout(patience, ends.user.fetch_add(lent.remote, 0, 5))).data == 0);
  REQUIRE((co_await with_timeout(patience, beside.fetch_add(own.remote, 0, 5))).data == 0);
  while (!ends.owner.try_receive().ec) continue;
}

task<> offered_to_one_is_wrong_for_the_other(remote_ends ends, rdsco::socket& beside) {
  lent_memory lent(64);
  co_await lent.offer(ends);
  auto data = pattern(3, 64);
  region const local = co_await local_memory(ends.user, data);
  region const owners = co_await local_memory(ends.owner, lent.memory);
  // A socket of the owner's own address, which is no peer of that offer.
  REQUIRE((co_await with_timeout(patience, beside.rdma_write(owners.all(), lent.remote))).ec == errc::stale_offer);
  // Memory is registered for the address of its socket, also on one adapter.
  REQUIRE((co_await with_timeout(patience, ends.user.rdma_write(owners.all(), lent.remote))).ec == errc::not_registered);
  REQUIRE(!(co_await with_timeout(patience, ends.user.rdma_write(local.all(), lent.remote))).ec);
  REQUIRE(lent.memory == data);
  while (!ends.owner.try_receive().ec) continue;
}

task<> without_atomics(remote_ends ends) {
  lent_memory lent(64);
  co_await lent.offer(ends);
  REQUIRE((co_await ends.user.fetch_add(lent.remote, 0, 1)).ec == errc::not_supported);
}

}  // namespace

TEMPLATE_TEST_CASE("bridged: a write is seen before its datagram", "", ib_windows, ib_slots) {
  one_with_memory<TestType> w;
  for (std::size_t const bytes : {1u, 4096u, 3u << 20}) w.run([=](remote_ends ends) { return write_is_seen_before_its_datagram(ends, bytes); });
  CHECK(w.seen.remote == 2 * (1 + 1 + 3));
  CHECK(w.on.counters().conn_reset == 0);
}
TEMPLATE_TEST_CASE("bridged: a read is complete when it completes, though it comes late", "", ib_windows, ib_slots) {
  one_with_memory<TestType> w;
  w.fabric.faults.late_reads = true;
  for (std::size_t const bytes : {1u, 4096u, 3u << 20}) w.run([=](remote_ends ends) { return read_is_complete_when_it_completes(ends, bytes); });
  CHECK(w.seen.remote == 2 * (1 + 1 + 3));
  CHECK(w.on.counters().conn_reset == 0);
}
TEMPLATE_TEST_CASE("bridged: parts are gathered and scattered", "", ib_windows, ib_slots) {
  one_with_memory<TestType> w(quick_and_small());
  w.run(parts_are_gathered_and_scattered);
  CHECK(w.seen.remote != 0);
}
TEMPLATE_TEST_CASE("bridged: what is not permitted fails, and the rest goes on", "", ib_windows, ib_slots) {
  one_with_memory<TestType> w;
  w.run(what_is_not_permitted_fails);
}
TEMPLATE_TEST_CASE("bridged: withdrawn memory is out of reach", "", ib_windows, ib_slots) {
  one_with_memory<TestType> w;
  w.run(withdrawn_is_out_of_reach);
}
TEMPLATE_TEST_CASE("bridged: what is offered for one use is used once", "", ib_windows, ib_slots) {
  one_with_memory<TestType> w;
  w.run(used_once);
}
TEMPLATE_TEST_CASE("bridged: a silent operation tells nobody", "", ib_windows, ib_slots) {
  one_with_memory<TestType> w;
  w.run(silent_tells_nobody);
}
TEMPLATE_TEST_CASE("bridged: misuse is told at once", "", ib_windows, ib_slots) {
  one_with_memory<TestType> w;
  w.run(misuse_is_told_at_once);
}

TEMPLATE_TEST_CASE("bridged: atomics are the adapter's, each of them", "", ib_windows, ib_slots) {
  one_with_memory<TestType> w;
  w.fabric.faults.late_reads = true;
  w.run(atomics_count);
  CHECK(w.seen.atomics == 2 * 4);
  CHECK(w.seen.remote == w.seen.atomics);
}

TEMPLATE_TEST_CASE("bridged: those of an address on its own memory are the processor's", "", ib_windows, ib_slots) {
  one_with_memory<TestType> w;
  rdsco::socket beside = bound(w.on, "10.0.0.2", 5001);
  block_on(w.where, counted_both_ways(w.ends(), beside));
  CHECK(w.seen.atomics == 1);
}

TEMPLATE_TEST_CASE("bridged: an offer is its peer's, and a region its address's, though one node and one adapter has all of them", "", ib_windows,
                   ib_slots) {
  one_with_memory<TestType> w;
  rdsco::socket beside = bound(w.on, "10.0.0.2", 5001);
  block_on(w.where, offered_to_one_is_wrong_for_the_other(w.ends(), beside));
  CHECK(w.seen.remote == 1);
}

TEMPLATE_TEST_CASE("iWARP: between two addresses of a node bytes are copied, and no adapter does it", "", iwarp_windows, iwarp_slots) {
  one_with_memory<TestType> w;
  for (std::size_t const bytes : {1u, 4096u, 3u << 20}) {
    w.run([=](remote_ends ends) { return write_is_seen_before_its_datagram(ends, bytes); });
    w.run([=](remote_ends ends) { return read_is_complete_when_it_completes(ends, bytes); });
  }
  w.run(what_is_not_permitted_fails);
  w.run(withdrawn_is_out_of_reach);
  w.run(used_once);
  w.run(without_atomics);
  CHECK(w.seen.remote == 0);
  CHECK(w.seen.messages == 0);
}

TEMPLATE_TEST_CASE("bridged: a connection that breaks drops what was under way, and offers end as with any peer", "", ib_windows, ib_slots) {
  one_with_memory<TestType> w;
  lent_memory lent(4096);
  block_on(w.where, lent.offer(w.ends(), access::read_write));
  auto data = pattern(3, 4096);
  region local = block_on(w.where, local_memory(w.from, data));
  w.fabric.hold_sends(one_host, true);
  under_way done;
  task_group works(w.where);
  works.spawn(noted(carry_out(operation::write, w.from, local.all(), lent.remote), done));
  turn(w.where, 10);
  CHECK_FALSE(done.ended);
  w.fabric.break_connections(one_host, other_host);
  block_on(w.where, joined(works));
  CHECK(done.how == errc::operation_dropped);
  w.fabric.hold_sends(one_host, false);
  under_way late;
  task_group more(w.where);
  more.spawn(noted(carry_out(operation::write, w.from, local.all(), lent.remote), late));
  block_on(w.where, joined(more));
  CHECK(late.how == errc::stale_offer);
  block_on(w.where, all_is_well_again(w.ends()));
}

TEMPLATE_TEST_CASE("bridged: the adapter of both ends is pulled out with all of it under way", "", ib_windows, ib_slots) {
  for (bool const held : {false, true}) {
    one_with_memory<TestType> w;
    lent_memory lent(4096);
    block_on(w.where, lent.offer(w.ends()));
    auto data = pattern(3, 4096);
    region local = block_on(w.where, local_memory(w.from, data));
    if (held) w.fabric.hold_sends(one_host, true);
    std::vector<under_way> done(20);
    task_group works(w.where);
    for (under_way& each : done)
      works.spawn(noted(carry_out(&each - done.data() < 10 ? operation::write : operation::read, w.from, local.all(), lent.remote), each));
    turn(w.where, held ? 10 : 1);
    w.fabric.remove_device(one_host);
    CHECK(comes_true(w.where, [&] { return w.fabric.alive_on(one_host) == 0; }));
    CHECK_FALSE(local.usable());
    CHECK_FALSE(lent.own.usable());
    CHECK((block_on(w.where, [](memory_offer& of) -> task<result<>> { co_return co_await of.over(); }(lent.offered))).ec == errc::no_device);
    w.fabric.hold_sends(one_host, false);
    CHECK(comes_true(w.where, [&] { return std::ranges::all_of(done, &under_way::ended); }));
    if (held) CHECK(done.front().how);
    CHECK(!close(w.where, local));
    CHECK(!close(w.where, lent.own));
    w.fabric.restore_device(one_host);
    CHECK(!block_on(w.where, sent_within(patience, w.from, {}, w.into.local())).ec);
    while (!w.into.try_receive().ec) continue;
    block_on(w.where, all_is_well_again(w.ends()));
  }
}

namespace {

enum class ending { node, socket, region, both_regions };

template <class How>
void live_and_end(unsigned life) {
  one_with_memory<How> w(quick_and_small());
  if (life % 3 == 1) w.fabric.faults.late_reads = true;
  lent_memory lent(10'000);
  block_on(w.where, lent.offer(w.ends(), access::read_write | access::atomic));
  auto data = pattern(3, 10'000);
  region local = block_on(w.where, local_memory(w.from, data));
  if (life % 7 == 1) w.fabric.hold_sends(one_host, true);
  task_group load(w.where);
  for (operation const what : {operation::write, operation::read, operation::add})
    load.spawn(operate_endlessly(w.from, local, lent.remote, what));
  load.spawn(offer_endlessly(w.into, lent.own, w.from.local()));
  load.spawn(offer_endlessly(w.from, local, w.into.local()));
  load.spawn(receive_endlessly(w.from));
  load.spawn(receive_endlessly(w.into));
  turn(w.where, life % 41);
  switch (static_cast<ending>(life % 4)) {
    case ending::node: break;
    case ending::socket: w.from.close(); break;
    case ending::region: local = region(); break;
    case ending::both_regions: lent.own = region(), local = region(); break;
  }
  turn(w.where, life % 5);
  w.on = node();
  block_on(w.where, joined(load));
}

}  // namespace

TEMPLATE_TEST_CASE("bridged: nodes destroyed with remote memory in use leave nothing", "", ib_windows, ib_slots) {
  for (unsigned life = 0; life < 200; ++life) {
    INFO("life " << life);
    live_and_end<TestType>(life);
  }
}
