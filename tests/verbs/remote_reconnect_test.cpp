// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: an offer of one connection is believed on the next, or is never heard of again, or its owner is not told that it is
// lost; an operation is repeated on another connection, or takes the datagrams around it along.
// Forced by: connections that break between an offer, its acknowledgement and its use, and again and again under load.

#include "verbs/remote_nodes.hpp"

#include <random>

namespace {

using namespace rdsco;
using namespace rdsco::test;

template <class How>
void break_and_come_back(lent_across<How>& w) {
  w.fabric.break_connections(w.near_host(), w.far_host());
  exchange(w, 1);
}

task<> next_offer(remote_ends ends, remote_memory& out) {
  auto const got = co_await with_timeout(patience, ends.user.receive());
  REQUIRE(!got.ec);
  REQUIRE(got.data.to_string() == "again");
  auto const found = got.data.offered();
  REQUIRE(found.has_value());
  out = *found;
}

task<result<memory_offer>> offer_of(region& own, address to) { co_return co_await own.offer(to, 0, own.size()); }

/// One more offer of that memory, and its datagram with the far node, unacknowledged.
template <class How>
struct offered_again {
  explicit offered_again(lent_across<How>& to) : w(to), works(to.where) {
    made = block_on(w.where, offer_of(w.lent->own, w.near_host())).data;
    REQUIRE(made.usable());
  }
  ~offered_again() { works.stop(), block_on(w.where, joined(works)); }
  void send() {
    works.spawn(sending());
    turn(w.where, 10);
    REQUIRE(!sent.ended);
  }
  // It came once, and nothing else.
  void arrives() {
    block_on(w.where, next_offer(w.ends(), remote));
    block_on(w.where, joined(works));
    CHECK(!sent.how);
    CHECK(w.from.try_receive().ec == errc::would_block);
  }
  void can_be_used() {
    CHECK(!block_on(w.where, carry_out(operation::write, w.from, w.local.all(), remote)).ec);
    bool const whole = w.lent->memory == w.memory;
    CHECK(whole);
    CHECK(made.usable());
    CHECK(!block_on(w.where, next_of(w.into)).ec);
  }

  lent_across<How>& w;
  memory_offer made;
  remote_memory remote;
  under_way sent;
  task_group works;

 private:
  task<> sending() {
    auto const outcome = co_await w.into.send_to("again", w.from.local(), made, until::acknowledged);
    sent.how = outcome.ec;
    sent.ended = true;
  }
};

template <class How>
void is_over_where_keys_die(lent_across<How>& w, memory_offer& offered) {
  CHECK(offered.usable() == !How::windows);
  if (How::windows) CHECK(block_on(w.where, with_timeout(patience, offered.over())).ec == errc::stale_offer);
}

}  // namespace

TEMPLATE_TEST_CASE("verbs: an offer under way is made anew on the next connection", "", EVERY_WAY) {
  lent_across<TestType> w;
  for (bool const posted : {false, true}) {
    // Held back before its window is bound, or on the wire.
    offered_again<TestType> again(w);
    if (posted) w.fabric.cut(w.near_host(), w.far_host(), true);
    if (!posted) w.fabric.hold_sends(w.far_host(), true);
    again.send();
    w.fabric.break_connections(w.near_host(), w.far_host());
    w.fabric.cut(w.near_host(), w.far_host(), false);
    w.fabric.hold_sends(w.far_host(), false);
    again.arrives();
    again.can_be_used();
  }
}

TEMPLATE_TEST_CASE("verbs: an offer that the peer knew dies with the connection where its key does", "", EVERY_WAY) {
  lent_across<TestType> w;
  break_and_come_back(w);
  is_over_where_keys_die(w, w.lent->offered);
  unsigned reached = 0;
  w.fabric.on_remote = [&](ibv_send_wr const&) { ++reached; };
  for (operation const what : {operation::write, operation::read}) {
    under_way done;
    task_group works(w.where);
    works.spawn(noted(carry_out(what, w.from, w.local.all(), w.lent->remote), done));
    turn(w.where, 1);
    CHECK(done.ended);
    CHECK(done.how == errc::stale_offer);
    block_on(w.where, joined(works));
  }
  w.fabric.on_remote = nullptr;
  CHECK(reached == 0);
  // What survived is told again, and anything can be offered anew.
  if (!TestType::windows) {
    block_on(w.where, w.lent->offer_again(w.ends()));
    CHECK(w.lent->offered.usable());
  }
  offered_again<TestType> again(w);
  w.fabric.cut(w.near_host(), w.far_host(), true);
  again.send();
  w.fabric.cut(w.near_host(), w.far_host(), false);
  again.arrives();
  again.can_be_used();
}

TEMPLATE_TEST_CASE("verbs: an offer that the peer knew, and could not say so, dies likewise", "", EVERY_WAY) {
  lent_across<TestType> w;
  offered_again<TestType> again(w);
  w.fabric.hold_sends(w.near_host(), true);
  again.send();
  // It came; of its acknowledgement the next connection speaks.
  block_on(w.where, next_offer(w.ends(), again.remote));
  w.fabric.break_connections(w.near_host(), w.far_host());
  REQUIRE(comes_true(w.where, [&] { return w.near.counters().conn_reset == 1; }));
  w.fabric.hold_sends(w.near_host(), false);
  exchange(w, 1);
  block_on(w.where, joined(again.works));
  CHECK(!again.sent.how);
  is_over_where_keys_die(w, again.made);
  CHECK(block_on(w.where, carry_out(operation::write, w.from, w.local.all(), again.remote)).ec == errc::stale_offer);
}

TEMPLATE_TEST_CASE("verbs: operations under way when the connection breaks are dropped, and sent nowhere again", "", EVERY_WAY) {
  for (ibv_wc_status const status : {IBV_WC_RETRY_EXC_ERR, IBV_WC_RNR_RETRY_EXC_ERR, IBV_WC_WR_FLUSH_ERR}) {
    for (bool const held : {false, true}) {
      lent_across<TestType> w;
      if (held) w.fabric.hold_sends(w.near_host(), true);
      if (!held) w.fabric.cut(w.near_host(), w.far_host(), true);
      std::vector<under_way> done(8);
      task_group works(w.where);
      works.spawn(send_numbered(w.from, w.into.local(), 8));
      for (under_way& each : done)
        works.spawn(noted(carry_out(&each - done.data() < 4 ? operation::write : operation::read, w.from, w.local.all(), w.lent->remote), each));
      turn(w.where, 10);
      w.fabric.break_connections(w.near_host(), w.far_host(), status);
      w.fabric.hold_sends(w.near_host(), false);
      w.fabric.cut(w.near_host(), w.far_host(), false);
      works.spawn(receive_numbered(w.into, 8));
      block_on(w.where, joined(works));
      for (under_way const& each : done) CHECK(each.how == errc::operation_dropped);
      CHECK(!block_on(w.where, w.from.drain(patience)).ec);
      CHECK(w.into.try_receive().ec == errc::would_block);
    }
  }
}

namespace {

/// Memory offered for one write, so many times; the write may fail, and is then not repeated.
template <class How>
class written_again_and_again {
 public:
  written_again_and_again(two_with_memory<How>& w, std::uint64_t count)
      : owner_(bound(w.far, "10.0.0.2", 5001)), user_(bound(w.near, "10.0.0.1", 4001)), count_(count) {}

  task<> own() {
    auto made = co_await owner_.register_memory(memory_);
    REQUIRE(!made.ec);
    region lent = std::move(made.data);
    for (std::uint64_t index = 0; index < count_; ++index) {
      auto offered = co_await lent.offer(user_.local().host, 0, memory_.size(), access::write);
      REQUIRE(!offered.ec);
      auto const told = co_await with_timeout(patience, owner_.send_to("write", user_.local(), offered.data));
      REQUIRE(!told.ec);
      co_await hear_of(index);
    }
    auto const closed = co_await with_timeout(patience, lent.close());
    REQUIRE(!closed.ec);
  }
  task<> use() {
    std::vector<std::byte> data(memory_.size());
    auto made = co_await user_.register_memory(data);
    REQUIRE(!made.ec);
    region local = std::move(made.data);
    for (std::uint64_t index = 0; index < count_; ++index) {
      auto const got = co_await with_timeout(patience, user_.receive());
      REQUIRE(!got.ec);
      auto const remote = got.data.offered();
      REQUIRE(remote.has_value());
      std::ranges::copy(pattern(index, data.size()), data.begin());
      auto const wrote = co_await with_timeout(patience, user_.rdma_write(local.all(), *remote, 0, "written"));
      INFO(wrote.ec.message());
      REQUIRE((!wrote.ec || wrote.ec == errc::stale_offer || wrote.ec == errc::operation_dropped));
      failures += static_cast<bool>(wrote.ec);
      done += !wrote.ec;
      auto const told = co_await with_timeout(patience, user_.send_to("over", owner_.local()));
      REQUIRE(!told.ec);
    }
    auto const closed = co_await with_timeout(patience, local.close());
    REQUIRE(!closed.ec);
  }

  std::uint64_t failures = 0, done = 0, seen = 0;

 private:
  // That it was written, if it was, once; and that it is over.
  task<> hear_of(std::uint64_t index) {
    for (int heard = 0; heard < 2; ++heard) {
      auto const got = co_await with_timeout(patience, owner_.receive());
      REQUIRE(!got.ec);
      if (got.data.to_string() == "over") co_return;
      REQUIRE(got.data.to_string() == "written");
      bool const whole = memory_ == pattern(index, memory_.size());
      REQUIRE(whole);
      ++seen;
    }
    FAIL("it was written twice");
  }

  rdsco::socket owner_, user_;
  std::uint64_t const count_;
  std::vector<std::byte> memory_ = zeros(9000);
};

}  // namespace

TEMPLATE_TEST_CASE("verbs: connections break under load, at other moments each time", "", EVERY_WAY) {
  std::uint64_t failures = 0, resets = 0;
  for (unsigned seed = 1; seed <= 6; ++seed) {
    INFO("seed " << seed);
    two_with_memory<TestType> w(quick_and_small());
    std::mt19937 random(seed);
    auto perhaps = [&] {
      if (random() % 50 == 0) w.where.post([&] { w.fabric.break_connections(at("10.0.0.1"), at("10.0.0.2")); });
    };
    w.fabric.on_message = [&](ibv_send_wr const&, std::span<std::byte const>) { perhaps(); };
    w.fabric.on_remote = [&](ibv_send_wr const&) { perhaps(); };
    written_again_and_again<TestType> memory(w, 100);
    task_group group(w.where);
    group.spawn(memory.own());
    group.spawn(memory.use());
    group.spawn(send_numbered(w.from, w.into.local(), 100));
    group.spawn(send_numbered(w.into, w.from.local(), 100));
    group.spawn(receive_numbered(w.from, 100));
    group.spawn(receive_numbered(w.into, 100));
    block_on(w.where, joined(group));
    w.fabric.on_message = nullptr;
    w.fabric.on_remote = nullptr;
    CHECK(w.from.try_receive().ec == errc::would_block);
    CHECK(w.into.try_receive().ec == errc::would_block);
    // What nobody knows for sure may have come.
    CHECK(memory.seen >= memory.done);
    failures += memory.failures;
    resets += w.near.counters().conn_reset;
  }
  CHECK(failures >= 6);
  CHECK(resets >= 60);
}
