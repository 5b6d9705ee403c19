// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: an operation that is cancelled ends while an adapter still uses its memory, or never; a region is let go of, or
// deregistered, under an adapter; whoever is in a hurry waits all the same.
// Forced by: adapters that hold requests back, and programs that cancel, close, force and destroy meanwhile, at another moment each time.

#include "verbs/poison.hpp"
#include "verbs/remote_nodes.hpp"

#include <optional>

namespace {

using namespace rdsco;
using namespace rdsco::test;

constexpr unsigned some_turns = 20;

bool was_cancelled(std::error_code how) { return how == errc::canceled || how == errc::withdrawn || how == errc::may_arrive; }

/// An operation of the near end that its adapter holds back.
template <class How>
struct held_back : lent_across<How> {
  explicit held_back(operation what, rdma_options options = {}) : what_(what) {
    this->fabric.hold_sends(this->near_host(), true);
    works.emplace(this->where);
    works->spawn(noted(carry_out(what, this->from, this->local.all(), this->lent->remote, options), done));
    turn(this->where, some_turns);
    REQUIRE(!done.ended);
  }
  void release() {
    this->fabric.hold_sends(this->near_host(), false);
    block_on(this->where, joined(*works));
    REQUIRE(done.ended);
  }
  // Its connection is over, by now or soon: the next one carries.
  void goes_on() {
    release();
    // The datagram of an operation that was cancelled late may have come.
    while (!this->into.try_receive().ec) continue;
    block_on(this->where, all_is_well_again(this->ends()));
  }

  under_way done;
  std::optional<task_group> works;

 private:
  operation what_;
};

template <class How>
std::vector<operation> operations() {
  if (std::is_same_v<typename How::transport, fake_ib>) return {operation::write, operation::read, operation::add};
  return {operation::write, operation::read};
}

task<result<>> acknowledged_by(rdsco::socket& by, endpoint to) {
  auto const sent = co_await with_timeout(patience, by.send_to("full", to, until::acknowledged));
  co_return sent.ec;
}

// In the turn in which a datagram came: its acknowledgement is to go with what this sends.
task<> write_when_told(rdsco::socket& by, region_slice local, remote_memory remote, under_way& done) {
  auto const told = co_await with_timeout(patience, by.receive());
  REQUIRE(!told.ec);
  auto work = noted(carry_out(operation::write, by, local, remote), done);
  co_await std::move(work);
}

verbs_options room_for_two() {
  verbs_options made = quick();
  made.receives = 4;
  made.sends = 3;
  return made;
}

rdma_options flushing() {
  rdma_options made;
  made.flush_on_cancel = true;
  return made;
}

}  // namespace

TEMPLATE_TEST_CASE("verbs: a cancelled operation completes when the adapter has let go, and its region waits", "", EVERY_WAY) {
  for (operation const what : operations<TestType>()) {
    held_back<TestType> w(what);
    w.works->stop();
    under_way closed;
    task_group closing(w.where);
    bool const pins = what != operation::add;
    closing.spawn(noted(w.local.close(), closed));
    turn(w.where, some_turns);
    CHECK_FALSE(w.done.ended);
    CHECK(closed.ended == !pins);
    w.release();
    CHECK(was_cancelled(w.done.how));
    block_on(w.where, joined(closing));
    CHECK(!closed.how);
    CHECK(w.near.counters().conn_reset == 0);
    w.goes_on();
  }
}

TEMPLATE_TEST_CASE("verbs: an operation that is late does not end before the adapter lets go", "", EVERY_WAY) {
  for (operation const what : operations<TestType>()) {
    held_back<TestType> w(what);
    under_way late;
    task_group group(w.where);
    auto timed = [&]() -> task<result<>> {
      auto work = carry_out(what, w.from, w.local.all(), w.lent->remote);
      co_return co_await with_timeout(1ms, std::move(work));
    };
    group.spawn(noted(timed(), late));
    block_on(w.where, for_a_while(20ms));
    // The one before it is on the adapter and so is this one.
    CHECK_FALSE(late.ended);
    w.release();
    CHECK(!w.done.how);
    block_on(w.where, joined(group));
    CHECK(was_cancelled(late.how));
  }
}

TEMPLATE_TEST_CASE("verbs: who cancels in a hurry ends the connection", "", EVERY_WAY) {
  for (operation const what : operations<TestType>()) {
    held_back<TestType> w(what, flushing());
    w.works->stop();
    block_on(w.where, joined(*w.works));
    CHECK(was_cancelled(w.done.how));
    CHECK(w.near.counters().conn_reset == 1);
    CHECK(!close(w.where, w.local));
    w.goes_on();
  }
}

TEMPLATE_TEST_CASE("verbs: a region that is closed by force waits for no adapter", "", EVERY_WAY) {
  for (operation const what : {operation::write, operation::read}) {
    held_back<TestType> w(what);
    CHECK(!close(w.where, w.local, true));
    CHECK(w.done.ended);
    CHECK(w.done.how == errc::operation_dropped);
    w.goes_on();
  }
}

TEMPLATE_TEST_CASE("verbs: a region that is destroyed takes its memory from the adapter", "", EVERY_WAY) {
  for (operation const what : {operation::write, operation::read}) {
    held_back<TestType> w(what);
    w.local = region();
    // Nothing looks at it any more: AddressSanitizer would see it.
    std::vector<std::byte>().swap(w.memory);
    block_on(w.where, joined(*w.works));
    CHECK(w.done.how == errc::operation_dropped);
    w.goes_on();
  }
}

TEMPLATE_TEST_CASE("verbs: a region that one waits to close is closed by another in a hurry", "", EVERY_WAY) {
  held_back<TestType> w(operation::write);
  under_way patient;
  task_group closing(w.where);
  closing.spawn(noted(w.local.close(), patient));
  turn(w.where, some_turns);
  REQUIRE(!patient.ended);
  CHECK(!close(w.where, w.local, true));
  block_on(w.where, joined(closing));
  CHECK(!patient.how);
  w.goes_on();
}

TEMPLATE_TEST_CASE("verbs: what waits behind other operations is given up at once", "", EVERY_WAY) {
  verbs_options small = quick_and_small();
  lent_across<TestType> w(4096, small);
  w.fabric.hold_sends(w.near_host(), true);
  task_group first(w.where), behind(w.where);
  std::vector<under_way> ended(12);
  for (std::size_t at = 0; at < 12; ++at) {
    task_group& group = at < 6 ? first : behind;
    group.spawn(noted(carry_out(operation::write, w.from, w.local.all(), w.lent->remote), ended[at]));
  }
  turn(w.where, some_turns);
  behind.stop();
  block_on(w.where, joined(behind));
  for (std::size_t at = 6; at < 12; ++at) CHECK(ended[at].how == errc::withdrawn);
  CHECK_FALSE(ended[0].ended);
  w.fabric.hold_sends(w.near_host(), false);
  block_on(w.where, joined(first));
  for (std::size_t at = 0; at < 6; ++at) CHECK(!ended[at].how);
}

// An adapter that carries nothing out: one operation has begun, and is too long for the ring; what is behind it has not.
TEMPLATE_TEST_CASE("verbs: what an operation was to take along goes without it", "", EVERY_WAY) {
  lent_across<TestType> w(5u << 20, room_for_two());
  w.fabric.hold_sends(w.near_host(), true);
  under_way heard, done;
  task_group peer(w.where), works(w.where);
  works.spawn(write_when_told(w.from, w.local.all(), w.lent->remote, done));
  peer.spawn(noted(acknowledged_by(w.into, w.from.local()), heard));
  turn(w.where, some_turns);
  works.stop();
  turn(w.where, some_turns);
  CHECK_FALSE(heard.ended);
  w.fabric.hold_sends(w.near_host(), false);
  block_on(w.where, joined(works));
  CHECK(was_cancelled(done.how));
  block_on(w.where, joined(peer));
  CHECK(!heard.how);
  CHECK(w.near.counters().conn_reset == 0);
}

TEMPLATE_TEST_CASE("verbs: where a connection breaks, what has begun is dropped, and what has not is stale", "", EVERY_WAY) {
  lent_across<TestType> w(5u << 20, room_for_two());
  w.fabric.hold_sends(w.near_host(), true);
  under_way begun, behind;
  task_group works(w.where);
  works.spawn(noted(carry_out(operation::write, w.from, w.local.all(), w.lent->remote), begun));
  turn(w.where, some_turns);
  works.spawn(noted(carry_out(operation::write, w.from, w.local.all(), w.lent->remote), behind));
  turn(w.where, some_turns);
  w.fabric.break_connections(w.near_host(), w.far_host());
  w.fabric.hold_sends(w.near_host(), false);
  block_on(w.where, joined(works));
  CHECK(begun.how == errc::operation_dropped);
  CHECK(behind.how == errc::stale_offer);
}

TEMPLATE_TEST_CASE("verbs: a region that is closed by force waits for no reader, and for no room", "", EVERY_WAY) {
  for (bool const congested : {true, false}) {
    INFO((congested ? "congested port" : "full buffer"));
    lent_across<TestType> w;
    task_group works(w.where);
    under_way filling, waiting;
    if (congested) {
      w.into.set_buffers(1u << 20, 0);
      w.wait_until([&] { return w.from.try_send_to("full", w.into.local()) == errc::congested; });
    } else {
      w.from.set_buffers(4, 1u << 20);
      w.fabric.hold_sends(w.near_host(), true);
      works.spawn(noted(acknowledged_by(w.from, w.into.local()), filling));
      turn(w.where, some_turns);
    }
    works.spawn(noted(carry_out(operation::write, w.from, w.local.all(), w.lent->remote), waiting));
    turn(w.where, some_turns);
    CHECK_FALSE(waiting.ended);
    CHECK(!close(w.where, w.local, true));
    turn(w.where, some_turns);
    CHECK(waiting.how == errc::not_registered);
    w.fabric.hold_sends(w.near_host(), false);
    block_on(w.where, joined(works));
    CHECK(w.near.counters().conn_reset == 0);
  }
}

TEMPLATE_TEST_CASE("verbs: a region that is closed by force waits for no queue either", "", EVERY_WAY) {
  held_back<TestType> w(operation::write);
  std::vector<std::byte> other_memory(100);
  region other = block_on(w.where, local_memory(w.from, other_memory));
  std::vector<under_way> queued(200);
  task_group group(w.where);
  for (under_way& each : queued) group.spawn(noted(carry_out(operation::write, w.from, w.local.all(), w.lent->remote), each));
  under_way behind;
  group.spawn(noted(carry_out(operation::write, w.from, other.all(), w.lent->remote), behind));
  turn(w.where, some_turns);
  CHECK(!close(w.where, other, true));
  CHECK(behind.how == errc::not_registered);
  // No adapter had it.
  CHECK_FALSE(w.done.ended);
  CHECK(w.near.counters().conn_reset == 0);
  w.release();
  block_on(w.where, joined(group));
}

// Operations of many requests, on rings with room for two of them.
TEMPLATE_TEST_CASE("verbs: long operations are cancelled at any moment", "", EVERY_WAY) {
  constexpr std::size_t bytes = 5u << 20;
  lent_across<TestType> w(bytes, room_for_two());
  for (unsigned turns = 0; turns < 12; ++turns) {
    for (operation const what : {operation::write, operation::read}) {
      INFO(turns << " turns");
      under_way done;
      task_group works(w.where);
      works.spawn(noted(carry_out(what, w.from, w.local.all(), w.lent->remote), done));
      turn(w.where, turns);
      works.stop();
      block_on(w.where, joined(works));
      CHECK((!done.how || was_cancelled(done.how)));
    }
  }
  CHECK(w.near.counters().conn_reset == 0);
  while (!w.into.try_receive().ec) continue;
  block_on(w.where, all_is_well_again(w.ends()));
}

TEMPLATE_TEST_CASE("verbs: a region is destroyed by who reads a datagram in the middle of an operation", "", EVERY_WAY) {
  constexpr std::size_t bytes = 5u << 20;
  for (unsigned turns = 0; turns < 8; ++turns) {
    INFO(turns << " turns");
    lent_across<TestType> w(bytes, room_for_two());
    under_way done;
    task_group works(w.where);
    auto destroying = [&]() -> task<> {
      auto const got = co_await with_timeout(patience, w.from.receive());
      REQUIRE(!got.ec);
      w.local = region();
      std::vector<std::byte>().swap(w.memory);
    };
    works.spawn(noted(carry_out(operation::write, w.from, w.local.all(), w.lent->remote), done));
    turn(w.where, turns);
    works.spawn(destroying());
    works.spawn(send_numbered(w.into, w.from.local(), 1));
    block_on(w.where, joined(works));
    CHECK((!done.how || done.how == errc::operation_dropped || done.how == errc::not_registered));
    while (!w.into.try_receive().ec) continue;
    block_on(w.where, all_is_well_again(w.ends()));
  }
}

#ifdef RDSCO_POISONS
TEMPLATE_TEST_CASE("verbs: nobody looks where an adapter reads into", "", EVERY_WAY) {
  for (bool const cancelled : {false, true}) {
    held_back<TestType> w(operation::read);
    std::byte* const first = w.local.all().data();
    CHECK(__asan_region_is_poisoned(first, w.local.size()) == first);
    if (cancelled) w.works->stop();
    turn(w.where, some_turns);
    CHECK(__asan_region_is_poisoned(first, w.local.size()) == first);
    w.release();
    CHECK(__asan_region_is_poisoned(first, w.local.size()) == nullptr);
  }
}
#endif
