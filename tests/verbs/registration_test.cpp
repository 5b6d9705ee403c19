// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: nobody else gets on while a large region is registered, or somebody lets go of the adapter, the node or the memory
// while the call that registers it is under way.
// Forced by: regions of many pieces beside traffic that is counted; and an adapter whose call does not return before the test allows it,
// while the registration is given up, the node closes, or the adapter is pulled out.

#include "support/remote_contract.hpp"
#include "verbs/fake_nodes.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>

namespace {

using namespace rdsco;
using namespace rdsco::test;

constexpr std::size_t piece = 2u << 20;

verbs_options tuned(bool thread) {
  verbs_options made;
  made.registration_thread = thread;
  made.reconnect_min = 1ms;
  made.reconnect_max = 5ms;
  return made;
}

/// Keeps whoever calls register_memory() until it is opened.
class gate {
 public:
  /// Only the caller's own thread is kept; what this one registers goes through.
  explicit gate(fake_fabric& on) : on_(on) {
    on_.around_registration = [this](bool begins) {
      if (std::this_thread::get_id() != loop_) begins ? arrive() : leave();
    };
  }
  gate(gate const&) = delete;
  gate& operator=(gate const&) = delete;
  ~gate() { on_.around_registration = nullptr; }

  [[nodiscard]] bool somebody_waits() {
    std::lock_guard const locked(mutex_);
    return arrived_ && !open_;
  }
  /// Lets the call go on and waits until it has ended: the fake is for one thread.
  void let_through() {
    std::unique_lock locked(mutex_);
    open_ = true;
    changed_.notify_all();
    changed_.wait(locked, [this] { return left_; });
  }

 private:
  void arrive() {
    std::unique_lock locked(mutex_);
    arrived_ = true;
    changed_.wait(locked, [this] { return open_; });
  }
  void leave() {
    std::lock_guard const locked(mutex_);
    left_ = true;
    changed_.notify_all();
  }

  fake_fabric& on_;
  std::thread::id const loop_ = std::this_thread::get_id();
  std::mutex mutex_;
  std::condition_variable changed_;
  bool arrived_ = false, open_ = false, left_ = false;
};

/// A registration under way beside what a test does.
struct registering {
  explicit registering(loop& where) : group(where) {}
  void start(rdsco::socket& by, mutable_buffer memory) { group.spawn(run(by, memory)); }
  task<> run(rdsco::socket& by, mutable_buffer memory) {
    auto got = co_await by.register_memory(memory);
    ec = got.ec;
    made = std::move(got.data);
    over = true;
  }
  task<> end() { co_await group.join(); }

  task_group group;
  std::error_code ec;
  region made;
  bool over = false;
};

task<> exchange(rdsco::socket& from, rdsco::socket& into) {
  auto const sent = co_await with_timeout(patience, from.send_to("meanwhile", into.local(), until::acknowledged));
  REQUIRE(!sent.ec);
  REQUIRE((co_await with_timeout(patience, into.receive())).data.to_string() == "meanwhile");
}

task<> write_last(rdsco::socket& by, region const& from, lent_memory const& to) {
  region_slice const last = from.slice(from.size() - to.memory.size(), to.memory.size());
  REQUIRE(!(co_await with_timeout(patience, by.rdma_write(last, to.remote))).ec);
}

task<> close(node& which) { co_await which.close(0ns); }

}  // namespace

TEMPLATE_TEST_CASE("registration: in pieces, and others get on between them", "", fake_ib, fake_iwarp) {
  two_on<TestType> w(tuned(false));
  block_on(w.where, exchange(w.from, w.into));
  constexpr std::size_t pieces = 50;
  auto memory = pattern(5, pieces * piece - 1);
  auto const before = memory;
  std::uint64_t const turns = w.where.counters().turns;
  std::uint64_t turns_until_registered = 0;
  w.fabric.on_registered = [&](std::size_t bytes) {
    if (bytes == memory.size()) turns_until_registered = w.where.counters().turns - turns;
  };
  registering one(w.where);
  one.start(w.from, memory);
  int exchanged = 0;
  while (!one.over) {
    block_on(w.where, exchange(w.from, w.into));
    exchanged += turns_until_registered == 0;
  }
  block_on(w.where, one.end());
  CHECK(!one.ec);
  CHECK(turns_until_registered >= pieces);
  // Each takes a few turns.
  CHECK(exchanged >= 3);
  CHECK(memory == before);
}

TEST_CASE("registration: what is small takes no turn") {
  two_on<fake_ib> w(tuned(GENERATE(false, true)));
  std::vector<std::byte> memory(piece);
  gate nobody(w.fabric);
  auto const own = block_on(w.where, w.from.register_memory(memory));
  CHECK(!own.ec);
  CHECK_FALSE(nobody.somebody_waits());
}

TEMPLATE_TEST_CASE("registration: with a thread the loop goes on, and the memory is as good", "", fake_ib, fake_iwarp) {
  two_on<TestType> w(tuned(true));
  auto memory = pattern(5, piece + 1);
  gate at(w.fabric);
  registering one(w.where);
  one.start(w.from, memory);
  w.wait_until([&] { return at.somebody_waits(); });
  for (int i = 0; i < 20; ++i) block_on(w.where, exchange(w.from, w.into));
  CHECK_FALSE(one.over);
  at.let_through();
  block_on(w.where, one.end());
  REQUIRE(!one.ec);
  lent_memory lent(piece);
  block_on(w.where, lent.offer(remote_ends(w.into, w.from)));
  block_on(w.where, write_last(w.from, one.made, lent));
  CHECK(std::equal(lent.memory.begin(), lent.memory.end(), memory.end() - piece));
}

TEST_CASE("registration: what the adapter says to the thread is told") {
  two_on<fake_ib> w(tuned(true));
  std::vector<std::byte> memory(piece + 1);
  for (int const answer : {-ENOMEM, 0}) {
    w.fabric.faults.refused["register_memory"] = answer;
    gate at(w.fabric);
    registering one(w.where);
    one.start(w.from, memory);
    w.wait_until([&] { return at.somebody_waits(); });
    at.let_through();
    block_on(w.where, one.end());
    CHECK(one.ec == (answer == 0 ? std::error_code() : make_error_code(errc::locked_memory_limit)));
    CHECK(bool(one.made) == (answer == 0));
  }
}

TEST_CASE("registration: given up while the thread works, it ends with the thread and leaves nothing") {
  two_on<fake_ib> w(tuned(true));
  block_on(w.where, exchange(w.from, w.into));
  std::size_t const before = w.fabric.alive();
  std::vector<std::byte> memory(piece + 1);
  gate at(w.fabric);
  registering one(w.where);
  one.start(w.from, memory);
  w.wait_until([&] { return at.somebody_waits(); });
  one.group.stop();
  block_on(w.where, exchange(w.from, w.into));
  CHECK_FALSE(one.over);
  at.let_through();
  block_on(w.where, one.end());
  CHECK(one.ec == errc::canceled);
  CHECK_FALSE(one.made);
  CHECK(w.fabric.alive() == before);
}

TEST_CASE("registration: a node that closes waits for the thread") {
  two_on<fake_ib> w(tuned(true));
  std::vector<std::byte> memory(piece + 1);
  gate at(w.fabric);
  registering one(w.where);
  one.start(w.from, memory);
  w.wait_until([&] { return at.somebody_waits(); });
  task_group closing(w.where);
  closing.spawn(close(w.near));
  block_on(w.where, exchange(w.into, w.into));
  CHECK_FALSE(one.over);
  CHECK(closing.size() == 1);
  at.let_through();
  block_on(w.where, joined(closing));
  CHECK(one.over);
  block_on(w.where, one.end());
  CHECK(one.ec == errc::closed);
  CHECK_FALSE(one.made);
}

TEST_CASE("registration: an adapter that is pulled out is let go of when the thread is done") {
  two_on<fake_ib> w(tuned(true));
  std::vector<std::byte> memory(piece + 1);
  gate at(w.fabric);
  registering one(w.where);
  one.start(w.from, memory);
  w.wait_until([&] { return at.somebody_waits(); });
  w.fabric.remove_device(w.from.local().host);
  w.wait_until([&] { return w.near.counters().rdsco_verbs_device_removed == 1; });
  for (int i = 0; i < 3; ++i) block_on(w.where, exchange(w.into, w.into));
  CHECK_FALSE(one.over);
  CHECK(w.fabric.alive_on(w.from.local().host) != 0);
  at.let_through();
  block_on(w.where, one.end());
  CHECK(one.ec == errc::no_device);
  w.wait_until([&] { return w.fabric.alive_on(w.from.local().host) == 0; });
  w.fabric.restore_device(w.from.local().host);
}

TEST_CASE("registration: what happens between two pieces ends it") {
  two_on<fake_ib> w(tuned(false));
  std::vector<std::byte> memory(20 * piece);
  std::size_t registered = 0;
  w.fabric.on_registered = [&](std::size_t bytes) { registered += bytes == memory.size(); };
  registering one(w.where);
  one.start(w.from, memory);
  w.where.run_once();
  w.where.run_once();
  SECTION("given up") {
    one.group.stop();
    block_on(w.where, one.end());
    CHECK(one.ec == errc::canceled);
  }
  SECTION("the node closes") {
    block_on(w.where, close(w.near));
    CHECK(one.over);
    block_on(w.where, one.end());
    CHECK(one.ec == errc::closed);
  }
  SECTION("the adapter is pulled out") {
    w.fabric.remove_device(w.from.local().host);
    block_on(w.where, one.end());
    CHECK(one.ec == errc::no_device);
    w.fabric.restore_device(w.from.local().host);
  }
  CHECK(registered == 0);
}
