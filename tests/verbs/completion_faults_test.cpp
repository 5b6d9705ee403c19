// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a failed completion, or an event that comes early, late or twice, loses a datagram, delivers one twice, or puts a
// connection to sleep for ever.
// Forced by: a fake fabric that breaks connections in each way the verbs know, and orders messages, events and the arming of queues
// in the ways that real adapters only rarely do.

#include "verbs/faulty_exchange.hpp"

#include <optional>

namespace {

using namespace rdsco;
using namespace rdsco::test;

address const near_host = at("10.0.0.1");
address const far_host = at("10.0.0.2");

// Breaks the connection by the message of this number, at a moment when the loop is between two turns.
template <class F>
void at_every(two_on_fabric& w, std::uint64_t messages, F what) {
  auto seen = std::make_shared<std::uint64_t>(0);
  w.fabric.on_message = [&w, seen, messages, what](ibv_send_wr const&, std::span<std::byte const>) {
    if (++*seen % messages == 0) w.where.post(what);
  };
}

std::string trouble_of(node const& on) { return on.tables().connections.at(0).trouble; }

}  // namespace

TEST_CASE("every status of a completion ends the connection, and nothing is lost") {
  for (ibv_wc_status const status : {IBV_WC_WR_FLUSH_ERR, IBV_WC_RETRY_EXC_ERR, IBV_WC_RNR_RETRY_EXC_ERR, IBV_WC_REM_OP_ERR, IBV_WC_LOC_LEN_ERR,
                                     IBV_WC_LOC_PROT_ERR, IBV_WC_FATAL_ERR, IBV_WC_GENERAL_ERR}) {
    INFO("status " << status);
    two_on<fake_ib> w(quick_and_small());
    at_every(w, 37, [&w, status] { w.fabric.break_connections(near_host, far_host, status); });
    exchange(w, 60);
    w.fabric.on_message = nullptr;
    CHECK(w.near.counters().conn_reset >= 3);
    CHECK(w.near.counters().rdsco_retransmitted + w.far.counters().rdsco_retransmitted > 0);
  }
}

TEST_CASE("the tables say why a connection ended, and nothing while it is up") {
  two_on<fake_ib> w(quick());
  exchange(w, 4);
  CHECK(trouble_of(w.near).empty());
  w.fabric.break_connections(near_host, far_host, IBV_WC_RETRY_EXC_ERR);
  REQUIRE(comes_true(w.where, [&] { return !trouble_of(w.near).empty(); }));
  CHECK(trouble_of(w.near).find("does not answer") != std::string::npos);
  CHECK(w.near.to_json().find("does not answer") != std::string::npos);
  exchange(w, 4);
  CHECK(trouble_of(w.near).empty());
}

TEST_CASE("disconnected: before the failed completions, behind them, and without any") {
  enum class order { before, behind, alone };
  for (order const which : {order::before, order::behind, order::alone}) {
    INFO("order " << static_cast<int>(which));
    two_on<fake_ib> w(quick_and_small());
    at_every(w, 41, [&w, which] {
      if (which != order::behind) w.fabric.tell_disconnected(near_host, far_host);
      if (which != order::alone) w.fabric.break_connections(near_host, far_host, IBV_WC_WR_FLUSH_ERR);
      if (which == order::behind) w.fabric.tell_disconnected(near_host, far_host);
    });
    exchange(w, 60);
    w.fabric.on_message = nullptr;
    CHECK(w.near.counters().conn_reset >= 3);
  }
}

TEST_CASE("an acknowledgement that arrived before the connection ended counts") {
  for (int turn = 0; turn < 5; ++turn) {
    two_on<fake_ib> w(quick());
    exchange(w, 1);
    // The peer takes the datagram, says so, and is gone for good; that it is gone is heard of first.
    bool acknowledged = false;
    w.fabric.on_message = [&](ibv_send_wr const&, std::span<std::byte const> frame) {
      if (acknowledged || frame.size() != protocol::header_bytes) return;
      acknowledged = true;
      w.fabric.tell_disconnected(near_host, far_host);
      w.where.post([&] { w.fabric.cut(near_host, far_host, true); });
    };
    auto const payload = pattern(0, 500);
    CHECK(!block_on(w.where, sent_within(patience, w.from, payload, w.into.local())).ec);
    CHECK(acknowledged);
    CHECK(w.near.counters().rdsco_retransmitted == 0);
    w.fabric.on_message = nullptr;
    w.fabric.cut(near_host, far_host, false);
  }
}

TEST_CASE("nobody tells the accepting side that the connection is established: the first message does") {
  two_on<fake_ib> w(quick());
  w.fabric.faults.lose_established = true;
  exchange(w, 20);
  CHECK(w.near.counters().rdsco_connect_failed == 0);
  CHECK(w.near.counters().conn_reset == 0);
}

TEST_CASE("messages that come just before their queue is armed make no event, and are found") {
  two_on<fake_ib> w(quick_and_small());
  w.fabric.faults.at_last_moment = true;
  for (int turn = 0; turn < 20; ++turn) {
    INFO("turn " << turn);
    exchange(w, 1);
  }
  exchange(w, 40);
}

TEST_CASE("events without a completion") {
  two_on<fake_ib> w(quick_and_small());
  w.fabric.faults.spurious_events = true;
  exchange(w, 60);
  CHECK(w.near.counters().conn_reset == 0);
}

TEST_CASE("events long after their completions") {
  two_on<fake_ib> w(quick_and_small());
  w.fabric.faults.hold_events = true;
  bool done = false;
  auto const release = [](two_on_fabric& on, bool& ended) -> task<> {
    while (!ended) {
      static_cast<void>(co_await sleep(2ms));
      on.fabric.release_events();
    }
  };
  auto const all = [](two_on_fabric& on, bool& ended) -> task<> {
    co_await exchange(on.where, on.from, on.into, 30);
    ended = true;
  };
  auto const both = [](two_on_fabric& on, task<> one, task<> other) -> task<> {
    task_group group(on.where);
    group.spawn(std::move(one));
    group.spawn(std::move(other));
    co_await group.join();
  };
  block_on(w.where, both(w, all(w, done), release(w, done)));
  CHECK(w.near.counters().conn_reset == 0);
  w.fabric.faults.hold_events = false;
  w.fabric.release_events();
}

TEST_CASE("a send that is cancelled while its bytes are under way: its completion comes behind it, and so does what follows") {
  two_on<fake_ib> w(quick_and_small());
  exchange(w, 1);
  for (std::size_t const bytes : {std::size_t{100}, std::size_t{60'000}}) {
    INFO(bytes << " bytes");
    w.fabric.cut(near_host, far_host, true);
    {
      auto payload = pattern(7, bytes);
      auto const sent = block_on(w.where, sent_within(5ms, w.from, payload, w.into.local()));
      CHECK(sent.ec == errc::may_arrive);
      // Whoever cancelled may do with its memory what it likes.
      std::ranges::fill(payload, std::byte{0});
    }
    auto const next = pattern(8, 300);
    REQUIRE(!w.from.try_send_to(next, w.into.local()));
    w.fabric.cut(near_host, far_host, false);
    std::optional<std::size_t> last;
    while (last != std::size_t{300}) {
      auto const got = block_on(w.where, next_of(w.into));
      REQUIRE(!got.ec);
      REQUIRE(!last);
      if (got.data.size() == bytes) {
        CHECK(matches(got.data, 7, bytes));
      } else {
        CHECK(matches(got.data, 8, 300));
        last = got.data.size();
      }
    }
    CHECK(w.into.try_receive().ec);
  }
}
