// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: an adapter that is pulled out is kept by regions, offers and operations, or they are never told; an operation succeeds
// because an adapter acknowledged what never reached memory; nodes that are destroyed with all of it under way leave something.
// Forced by: adapters that go away and come back with everything in flight, one that acknowledges and dies, and hundreds of nodes
// destroyed at another moment each time.

#include "verbs/remote_nodes.hpp"

namespace {

using namespace rdsco;
using namespace rdsco::test;

bool ended_with_its_adapter(std::error_code how) {
  return how == errc::no_device || how == errc::operation_dropped || how == errc::not_registered || how == errc::stale_offer;
}

task<> until_over(memory_offer& offered, under_way& here) {
  auto const over = co_await offered.over();
  here.how = over.ec;
  here.ended = true;
}

task<result<region>> registered_with(rdsco::socket& by, std::vector<std::byte>& memory) { co_return co_await by.register_memory(memory); }

}  // namespace

// Which way a connection gives access is decided when it is first asked for.
TEMPLATE_TEST_CASE("verbs: who is met while the adapter is out gets windows all the same", "", ib_windows, iwarp_windows) {
  two_with_memory<TestType> w;
  int bound = 0;
  w.fabric.on_posted = [&](ibv_send_wr const& request, std::size_t) { bound += request.opcode == IBV_WR_BIND_MW; };
  address const out = w.into.local().host;
  w.fabric.remove_device(out);
  CHECK(comes_true(w.where, [&] { return w.fabric.alive_on(out) == 0; }));
  task_group works(w.where);
  works.spawn(send_numbered(w.into, w.from.local(), 1));
  turn(w.where, 10);
  w.fabric.restore_device(out);
  works.spawn(receive_numbered(w.from, 1));
  block_on(w.where, joined(works));
  // The node has seen that there is an adapter again.
  std::vector<std::byte> more(100);
  CHECK(comes_true(w.where, [&] { return !block_on(w.where, registered_with(w.into, more)).ec; }));
  lent_memory lent(100);
  block_on(w.where, lent.offer(w.ends()));
  CHECK(bound == 1);
}

TEMPLATE_TEST_CASE("verbs: an adapter with regions, offers and operations is pulled out, and put in again", "", EVERY_WAY) {
  for (bool const own : {false, true}) {
    for (bool const held : {false, true}) {
      INFO((own ? "of the one who operates" : "of the one who offers"));
      lent_across<TestType> w;
      address const gone = own ? w.near_host() : w.far_host();
      if (held) w.fabric.hold_sends(w.near_host(), true);
      std::vector<under_way> done(20);
      under_way over;
      task_group works(w.where);
      for (under_way& each : done)
        works.spawn(noted(carry_out(&each - done.data() < 10 ? operation::write : operation::read, w.from, w.local.all(), w.lent->remote), each));
      works.spawn(until_over(w.lent->offered, over));
      turn(w.where, held ? 10 : 1);
      w.fabric.remove_device(gone);
      CHECK(comes_true(w.where, [&] { return w.fabric.alive_on(gone) == 0; }));
      CHECK((own ? w.local : w.lent->own).usable() == false);
      CHECK((own ? w.lent->own : w.local).usable() == true);
      w.fabric.hold_sends(w.near_host(), false);
      CHECK(comes_true(w.where, [&] { return std::ranges::all_of(done, &under_way::ended); }));
      for (under_way const& each : done) CHECK((!each.how || ended_with_its_adapter(each.how)));
      if (held) CHECK(done.front().how);
      if (!own) {
        CHECK(comes_true(w.where, [&] { return over.ended; }));
        CHECK(over.how == errc::no_device);
      }
      std::vector<std::byte> more(100);
      CHECK(block_on(w.where, registered_with(own ? w.from : w.into, more)).ec == errc::no_device);
      CHECK(!close(w.where, own ? w.local : w.lent->own));
      w.fabric.restore_device(gone);
      works.stop();
      block_on(w.where, joined(works));
      // There is an adapter again when the node has seen it.
      region fresh;
      CHECK(comes_true(w.where, [&] {
        auto made = block_on(w.where, registered_with(own ? w.from : w.into, more));
        if (!made.ec) fresh = std::move(made.data);
        return fresh.usable();
      }));
      CHECK(!close(w.where, fresh));
      CHECK(!block_on(w.where, sent_within(patience, w.from, {}, w.into.local())).ec);
      while (!w.into.try_receive().ec) continue;
      block_on(w.where, all_is_well_again(w.ends()));
    }
  }
}

TEMPLATE_TEST_CASE("verbs: what was acknowledged by an adapter that died has not been done", "", EVERY_WAY) {
  lent_across<TestType> w;
  bool dead = false;
  w.fabric.faults.swallow = [&](ibv_send_wr const& request, std::span<std::byte const>) { return dead |= request.opcode == IBV_WR_RDMA_WRITE; };
  under_way done;
  task_group works(w.where);
  works.spawn(noted(carry_out(operation::write, w.from, w.local.all(), w.lent->remote), done));
  REQUIRE(comes_true(w.where, [&] { return dead; }));
  turn(w.where, 100);
  CHECK_FALSE(done.ended);
  w.fabric.break_connections(w.near_host(), w.far_host());
  w.fabric.faults.swallow = nullptr;
  block_on(w.where, joined(works));
  CHECK(done.how == errc::operation_dropped);
  bool const untouched = w.lent->memory == zeros(w.lent->memory.size());
  CHECK(untouched);
  block_on(w.where, all_is_well_again(w.ends()));
}

namespace {

enum class ending { node, socket, region, peer };

template <class How>
void live_and_end(lent_across<How>& w, unsigned turns, ending first) {
  task_group load(w.where);
  for (int each = 0; each < 2; ++each) {
    load.spawn(operate_endlessly(w.from, w.local, w.lent->remote, operation::write));
    load.spawn(operate_endlessly(w.from, w.local, w.lent->remote, operation::read));
  }
  load.spawn(offer_endlessly(w.into, w.lent->own, w.from.local()));
  load.spawn(offer_endlessly(w.from, w.local, w.into.local()));
  load.spawn(receive_endlessly(w.from));
  load.spawn(receive_endlessly(w.into));
  turn(w.where, turns);
  switch (first) {
    case ending::node: w.near = node(); break;
    case ending::socket: w.from.close(); break;
    case ending::region: w.local = region(); break;
    case ending::peer: w.far = node(); break;
  }
  turn(w.where, 10);
  w.near = node();
  w.far = node();
  block_on(w.where, joined(load));
}

}  // namespace

TEMPLATE_TEST_CASE("verbs: nodes destroyed with remote memory in use leave nothing", "", EVERY_WAY) {
  for (unsigned life = 0; life < 250; ++life) {
    INFO("life " << life);
    {
      lent_across<TestType> w(10'000, quick_and_small());
      if (life % 3 == 1) w.fabric.faults.late_reads = true;
      if (life % 7 == 1) w.fabric.hold_sends(w.near_host(), true);
      live_and_end(w, life % 41, static_cast<ending>(life % 4));
      // The program's handles come last.
      w.lent.reset();
      w.local = region();
      REQUIRE(w.fabric.alive() == 0);
      CHECK(w.where.frames() == 0);
    }
  }
}
