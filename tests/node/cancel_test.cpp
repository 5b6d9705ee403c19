// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a cancelled receive that takes a datagram along, a cancelled send that is sent all the same or says the
// wrong thing about it, a waiter whose memory is used after it left.
// Forced by: every waiting state of every operation, cancelled before it starts, while it waits and in the turn in which it
// would complete, by a timeout, by its group and by a race; every datagram is counted.

#include "node/world.hpp"

#include <rdsco/when_any.hpp>

#include <functional>
#include <optional>

namespace {

using namespace rdsco;
using namespace rdsco::test;

constexpr std::string_view absent = "127.0.0.77";

using operation = std::function<task<result<>>()>;

task<result<>> nothing() {
  for (int i = 0; i < 3; ++i) co_await yield();
  co_return result<>();
}

task<> note(operation make, std::optional<std::error_code>& into) {
  auto work = make();
  result<> const outcome = co_await std::move(work);
  into = outcome.ec;
}

// What the operation says when it is cancelled in each of the ways.
task<> cancelled_every_way(loop& where, operation const& make, errc by_timeout, errc by_stop) {
  {
    auto work = make();
    result<> const timed = co_await with_timeout(1ms, std::move(work));
    CHECK(timed.ec == by_timeout);
  }
  for (bool const started : {false, true}) {
    std::optional<std::error_code> seen;
    task_group group(where);
    group.spawn(note(make, seen));
    if (started) co_await yield();
    CHECK_FALSE(seen.has_value());
    group.stop();
    co_await group.join();
    REQUIRE(seen.has_value());
    CHECK(*seen == by_stop);
  }
  {
    auto work = make();
    auto const raced = co_await when_any(std::move(work), nothing());
    CHECK(raced.index == 1);
  }
}

task<result<>> receive_any(socket& from) {
  auto got = co_await from.receive();
  co_return got.ec;
}
task<result<>> receive_a_copy(socket& from) {
  std::array<std::byte, 4> bytes{};
  auto got = co_await from.receive_into(bytes);
  co_return got.ec;
}
task<result<>> send_one(socket& from, endpoint there, until what) { co_return co_await from.send_to("never", there, what); }
task<result<>> wait_writable(socket& from, endpoint there) { co_return co_await from.writable(there); }
task<result<>> drain_all(socket& from) {
  auto left = co_await from.drain(patience);
  co_return left.ec;
}

task<> receives(world& w) {
  socket from = w.near_socket(), into = w.far_socket(5000);
  operation const lent = [&] { return receive_any(into); };
  operation const copied = [&] { return receive_a_copy(into); };
  for (operation const& each : {lent, copied}) {
    co_await cancelled_every_way(w.where, each, errc::timed_out, errc::canceled);
    REQUIRE(!(co_await from.send_to("kept", into.local())).ec);
    auto const got = co_await with_timeout(patience, into.receive());
    CHECK(got.data.size() == 4);
    CHECK(into.try_receive().ec == errc::would_block);
  }
}

task<> sends_to_a_congested_port(world& w) {
  socket from = w.near_socket(), into = w.far_socket(5000);
  into.set_buffers(100, 0);
  REQUIRE(!(co_await from.send_to("x", into.local())).ec);
  REQUIRE(co_await eventually([&] { return from.try_send_to({}, into.local()) == errc::congested; }));
  for (until const what : {until::accepted, until::acknowledged}) {
    operation const send = [&, what] { return send_one(from, into.local(), what); };
    co_await cancelled_every_way(w.where, send, errc::timed_out, errc::canceled);
  }
  operation const wait = [&] { return wait_writable(from, into.local()); };
  co_await cancelled_every_way(w.where, wait, errc::timed_out, errc::canceled);
  // Nothing of what was cancelled comes before it, only the empty ones that found the port free.
  into.try_receive().value().release();
  std::size_t bytes = 0;
  task_group group(w.where);
  group.spawn([&bytes](socket& on) -> task<> {
    while (bytes == 0) bytes = (co_await with_timeout(patience, on.receive())).value().size();
  }, std::ref(into));
  REQUIRE(!(co_await with_timeout(patience, from.send_to("last", into.local(), until::acknowledged))).ec);
  co_await group.join();
  CHECK(bytes == 4);
}

task<> sends_without_room(world& w) {
  socket from = w.near_socket();
  from.set_buffers(10, 10);
  CHECK_FALSE(from.try_send_to("ten bytes.", to(absent, 5)));
  for (until const what : {until::accepted, until::acknowledged}) {
    operation const send = [&, what] { return send_one(from, to(absent, 5), what); };
    co_await cancelled_every_way(w.where, send, errc::timed_out, errc::canceled);
  }
  operation const wait = [&] { return wait_writable(from, to(absent, 5)); };
  co_await cancelled_every_way(w.where, wait, errc::timed_out, errc::canceled);
  operation const drain = [&] { return drain_all(from); };
  co_await cancelled_every_way(w.where, drain, errc::timed_out, errc::canceled);
  CHECK(from.unacknowledged() == 1);
}

task<> unsent(world& w) {
  socket from = w.near_socket();
  operation const send = [&] { return send_one(from, to(absent, 5), until::acknowledged); };
  co_await cancelled_every_way(w.where, send, errc::withdrawn, errc::withdrawn);
  CHECK(from.unacknowledged() == 0);
  // Withdrawn from outside.
  std::optional<std::error_code> seen;
  task_group group(w.where);
  group.spawn(note(send, seen));
  co_await yield();
  CHECK(from.cancel_sent_to(to(absent, 5)) == 1);
  co_await group.join();
  CHECK(seen == errc::withdrawn);
}

// Whoever waits for the room, or for everything to be acknowledged, waits no longer for what was withdrawn.
task<> leaves_room(world& w) {
  socket from = w.near_socket();
  from.set_buffers(5, 1000);
  std::optional<std::error_code> filling, waiting, drained;
  operation const fill = [&] { return send_one(from, to(absent, 5), until::acknowledged); };
  task_group first(w.where), others(w.where);
  first.spawn(note(fill, filling));
  co_await yield();
  others.spawn(note([&] { return send_one(from, to(absent, 5), until::accepted); }, waiting));
  co_await yield();
  CHECK_FALSE(waiting.has_value());
  first.stop();
  co_await first.join();
  CHECK(filling == errc::withdrawn);
  REQUIRE(co_await eventually([&] { return waiting.has_value(); }));
  CHECK_FALSE(*waiting);
  CHECK(from.cancel_sent_to(to(absent, 5)) == 1);
  task_group again(w.where);
  again.spawn(note(fill, filling));
  co_await yield();
  others.spawn(note([&] { return drain_all(from); }, drained));
  co_await yield();
  again.stop();
  co_await again.join();
  co_await others.join();
  REQUIRE(drained.has_value());
  CHECK_FALSE(*drained);
}

// Numbers everything that arrives; what is cancelled must leave no gap.
struct arrivals {
  std::size_t next = 0;
  bool in_order = true;
  void take(message const& got) {
    in_order = in_order && matches(got, next, 8);
    ++next;
  }
};

task<> receive_in_pieces(socket& from, arrivals& seen, std::size_t total, unsigned turns) {
  loop& where = co_await this_task::loop();
  while (seen.next < total) {
    // Stopped so many turns after it began: before, in and after the turn in which a datagram comes.
    task_group group(where);
    group.spawn([&](socket& on) -> task<> {
      for (;;) {
        auto got = co_await on.receive();
        if (got.ec) co_return;
        seen.take(got.data);
      }
    }, std::ref(from));
    for (unsigned turn = 0; turn < turns; ++turn) co_await yield();
    group.stop();
    co_await group.join();
  }
}

task<> send_numbered(socket& from, endpoint there, std::size_t total) {
  for (std::size_t i = 0; i < total; ++i) {
    REQUIRE(!(co_await with_timeout(patience, from.send_to(pattern(i, 8), there))).ec);
    if (i % 3 != 0) co_await yield();
  }
}

task<> nothing_is_eaten(world& w) {
  for (unsigned const turns : {0u, 1u, 2u, 3u, 7u}) {
    socket from = w.near_socket(), into = w.far_socket();
    arrivals seen;
    task_group group(w.where);
    group.spawn(send_numbered(from, into.local(), 300));
    // One that never waits long: its receives end by timeouts and by success, sometimes in one turn.
    co_await receive_in_pieces(into, seen, 300, turns == 0 ? 1 : turns);
    co_await group.join();
    CHECK(seen.in_order);
    CHECK(seen.next == 300);
    CHECK(into.try_receive().ec == errc::would_block);
  }
}

task<> timed_receives(world& w) {
  socket from = w.near_socket(), into = w.far_socket();
  arrivals seen;
  task_group group(w.where);
  group.spawn(send_numbered(from, into.local(), 300));
  auto const end = w.where.now() + patience;
  while (seen.next < 300 && w.where.now() < end) {
    auto const got = co_await with_timeout(std::chrono::nanoseconds(seen.next % 4 * 5000), into.receive());
    if (got.ec) {
      CHECK(got.ec == errc::timed_out);
      co_await yield();
    } else {
      seen.take(got.data);
    }
  }
  co_await group.join();
  CHECK(seen.in_order);
  CHECK(seen.next == 300);
}

// The datagram is there and its receiver woken, but stopped before it runs: the other receiver gets it.
task<> stopped_in_the_turn_of_arrival(world& w) {
  socket from = w.near_socket(), into = w.near_socket();
  std::optional<std::error_code> first, second;
  task_group early(w.where), late(w.where);
  early.spawn(note([&] { return receive_any(into); }, first));
  co_await yield();
  late.spawn(note([&] { return receive_any(into); }, second));
  co_await yield();
  CHECK_FALSE(from.try_send_to("one", into.local()));  // wakes the first
  early.stop();
  co_await early.join();
  CHECK(first == errc::canceled);
  co_await late.join();
  REQUIRE(second.has_value());
  CHECK_FALSE(*second);
  CHECK(into.try_receive().ec == errc::would_block);
}

task<> receive_count(socket& from, std::size_t& count, std::size_t& total) {
  for (;;) {
    auto const got = co_await from.receive();
    if (got.ec) co_return;
    ++count;
    ++total;
  }
}

task<> two_receivers(world& w) {
  socket from = w.near_socket(), into = w.far_socket();
  std::size_t one = 0, other = 0, total = 0;
  task_group group(w.where);
  group.spawn(receive_count(into, one, total));
  group.spawn(receive_count(into, other, total));
  co_await yield();
  for (int i = 0; i < 200; ++i) {
    REQUIRE(!(co_await with_timeout(patience, from.send_to("x", into.local()))).ec);
    if (i % 2 == 0) co_await yield();
  }
  REQUIRE(co_await eventually([&] { return total == 200; }));
  group.stop();
  co_await group.join();
  CHECK(one + other == 200);
  CHECK(one != 0);
}

}  // namespace

TEST_CASE("a cancelled receive ends and takes nothing") { in(every_way, receives); }
TEST_CASE("a send that waits for a congested port can be cancelled") { in(every_way, sends_to_a_congested_port); }
TEST_CASE("whatever waits for room or for acknowledgements can be cancelled") { in(over_tcp, sends_without_room); }
TEST_CASE("a send whose datagram has not left is withdrawn") { in(over_tcp, unsent); }
TEST_CASE("a withdrawn send leaves its room to others") { in(over_tcp, leaves_room); }
TEST_CASE("no datagram is eaten by receives that are stopped at any moment") { in(every_way, nothing_is_eaten); }
TEST_CASE("no datagram is eaten by receives that time out") { in(every_way, timed_receives); }
TEST_CASE("a receive stopped in the turn of arrival leaves the datagram to the next") { in(over_loopback, stopped_in_the_turn_of_arrival); }
TEST_CASE("two receivers share what arrives") { in(every_way, two_receivers); }
