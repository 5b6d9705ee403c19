// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a call of the adapter fails in the middle of registering, offering, operating, withdrawing or closing, or the node's
// memory is at its end, and something stays behind, hangs, or cannot be done again.
// Forced by: the same scenario again and again, in each run the next call failing, until a run gets through without reaching it; and
// offers and operations until there is no memory for another.

#include "support/refusing_memory.hpp"
#include "verbs/remote_nodes.hpp"

namespace {

using namespace rdsco;
using namespace rdsco::test;

constexpr std::size_t offered_bytes = 10'000;

/// Whether a thing that failed because of one call is as it should be: it says why.
bool one_call(std::error_code how) {
  return how == errc::locked_memory_limit || how == errc::out_of_memory || how == errc::limit_reached || how == errc::not_supported ||
         how == errc::no_device || how == errc::operation_dropped || how == errc::stale_offer || how == errc::remote_failed ||
         how == errc::not_registered;
}

// What fails is done again: only one call fails.
constexpr int tries_max = 6;

task<region> registered_at_last(rdsco::socket& by, mutable_buffer memory) {
  for (int attempt = 0; attempt < tries_max; ++attempt) {
    auto made = co_await by.register_memory(memory);
    if (!made.ec) co_return std::move(made.data);
    INFO(made.ec.message());
    REQUIRE(one_call(made.ec));
  }
  FAIL("it cannot be registered");
  co_return region();
}

struct seen {
  bool done = false;
  int offers_lost = 0;
};

// Offers, until somebody wrote and read.
task<> own(remote_ends ends, region& lent, std::vector<std::byte>& memory, seen& here) {
  for (int attempt = 0; attempt < tries_max && !here.done; ++attempt) {
    auto made = co_await lent.offer(ends.user.local().host, 0, offered_bytes);
    INFO(made.ec.message());
    REQUIRE((!made.ec || one_call(made.ec)));
    if (made.ec) continue;
    auto const told = co_await with_timeout(patience, ends.owner.send_to("offer", ends.user.local(), made.data));
    REQUIRE(!told.ec);
    auto const answer = co_await with_timeout(patience, ends.owner.receive());
    REQUIRE(!answer.ec);
    std::string const said = answer.data.to_string();
    if (said == "written") {
      bool const whole = memory == pattern(5, offered_bytes);
      REQUIRE(whole);
      auto const over = co_await with_timeout(patience, ends.owner.receive());
      REQUIRE(!over.ec);
    }
    auto const withdrawn = co_await with_timeout(patience, made.data.withdraw());
    REQUIRE(!withdrawn.ec);
  }
  REQUIRE(here.done);
}

task<> use(remote_ends ends, region& local, std::vector<std::byte>& data, seen& here) {
  while (!here.done) {
    auto const got = co_await with_timeout(patience, ends.user.receive());
    REQUIRE(!got.ec);
    auto const remote = got.data.offered();
    std::error_code how = errc::stale_offer;
    if (remote) {
      std::ranges::copy(pattern(5, offered_bytes), data.begin());
      auto const wrote = co_await with_timeout(patience, ends.user.rdma_write(local.all(), *remote, 0, "written"));
      how = wrote.ec;
    }
    if (!how) {
      std::ranges::fill(data, std::byte{});
      rdma_options silent;
      silent.silent = true;
      const_buffers const nothing;
      auto const read = co_await with_timeout(patience, ends.user.rdma_read(local.all(), *remote, 0, nothing, silent));
      how = read.ec;
    }
    INFO(how.message());
    REQUIRE((!how || one_call(how)));
    here.offers_lost += static_cast<bool>(how);
    here.done = !how;
    if (here.done) {
      bool const whole = data == pattern(5, offered_bytes);
      REQUIRE(whole);
    }
    auto const told = co_await with_timeout(patience, ends.user.send_to("over", ends.owner.local()));
    REQUIRE(!told.ec);
  }
}

task<> scenario(loop& where, remote_ends ends, seen& here) {
  std::vector<std::byte> memory(offered_bytes), data(offered_bytes);
  region lent = co_await registered_at_last(ends.owner, memory);
  region local = co_await registered_at_last(ends.user, data);
  task_group group(where);
  group.spawn(own(ends, lent, memory, here));
  group.spawn(use(ends, local, data, here));
  co_await group.join();
  auto const first = co_await with_timeout(patience, lent.close());
  REQUIRE(!first.ec);
  auto const second = co_await with_timeout(patience, local.close());
  REQUIRE(!second.ec);
}

struct outcome {
  bool reached = false;  // the call that was to fail
  int offers_lost = 0;
};

// What follows works.
template <class How, class Arm>
outcome run(Arm arm) {
  outcome made;
  two_with_memory<How> w(quick_and_small());
  arm(w.fabric);
  seen here;
  block_on(w.where, scenario(w.where, w.ends(), here));
  made.reached = !w.fabric.failing();
  made.offers_lost = here.offers_lost;
  w.fabric.fail_call(0);
  w.fabric.fail_poll(0);
  while (!w.into.try_receive().ec) continue;
  while (!w.from.try_receive().ec) continue;
  block_on(w.where, all_is_well_again(w.ends()));
  return made;
}

}  // namespace

TEMPLATE_TEST_CASE("verbs: every call of a scenario with remote memory fails once", "", EVERY_WAY) {
  std::uint64_t points = 0;
  int offers_lost = 0;
  for (std::uint64_t point = 1;; ++point) {
    INFO("call " << point << " fails");
    outcome const made = run<TestType>([point](fake_fabric& fabric) { fabric.fail_call(point); });
    if (!made.reached) break;
    points = point;
    offers_lost += made.offers_lost;
  }
  CHECK(points >= 30);
  CHECK(offers_lost >= 1);
}

TEMPLATE_TEST_CASE("verbs: every poll of a scenario with remote memory fails once", "", EVERY_WAY) {
  std::uint64_t points = 0;
  for (std::uint64_t point = 1;; ++point) {
    INFO("poll " << point << " fails");
    if (!run<TestType>([point](fake_fabric& fabric) { fabric.fail_poll(point); }).reached) break;
    points = point;
  }
  CHECK(points >= 4);
}

namespace {

template <class How>
struct two_short_of_memory {
  fake_fabric fabric{How::transport::node_type};
  refusing_memory memory;
  loop where{loop_options(), seams()};
  node near = open_at("10.0.0.1"), far = open_at("10.0.0.2");
  rdsco::socket from = bound(near, "10.0.0.1", 4000), into = bound(far, "10.0.0.2", 5000);

  two_short_of_memory() = default;
  ~two_short_of_memory() {
    near = node();
    far = node();
    CHECK(fabric.alive() == 0);
    CHECK(fabric.pulled_away == 0);
    current_fabric = nullptr;
  }
  two_short_of_memory(two_short_of_memory const&) = delete;
  two_short_of_memory& operator=(two_short_of_memory const&) = delete;

 private:
  detail::seams seams() {
    detail::seams made;
    made.memory = &memory;
    return made;
  }
  node open_at(std::string_view host) {
    current_fabric = &fabric;
    fabric.rules.windows = How::windows;
    node_options options;
    options.own<typename How::transport>(at(host)).allow(net("10.0.0.0/24"));
    options.verbs = quick();
    return test::open(where, options);
  }
};

task<result<memory_offer>> offer_of(region& own, address peer) { co_return co_await own.offer(peer, 0, own.size()); }

}  // namespace

TEMPLATE_TEST_CASE("verbs: without memory nothing more is offered or done, and nothing is lost", "", EVERY_WAY) {
  two_short_of_memory<TestType> w;
  remote_ends const ends(w.into, w.from, two_with_memory<TestType>::told);
  std::vector<std::byte> data(100);
  lent_memory lent(100);
  block_on(w.where, lent.offer(ends));
  region const local = block_on(w.where, local_memory(w.from, data));
  w.memory.largest = 0;
  w.fabric.hold_sends(at("10.0.0.1"), true);
  std::vector<memory_offer> offers;
  std::error_code refused;
  while (!refused && offers.size() < 100'000) {
    auto made = block_on(w.where, offer_of(lent.own, at("10.0.0.1")));
    refused = made.ec;
    if (!refused) offers.push_back(std::move(made.data));
  }
  CHECK(refused == errc::out_of_memory);
  std::vector<under_way> done(1000);
  task_group works(w.where);
  for (under_way& each : done) works.spawn(noted(carry_out(operation::write, w.from, local.all(), lent.remote), each));
  turn(w.where, 10);
  CHECK(done.back().how == errc::limit_reached);
  CHECK_FALSE(done.front().ended);
  w.memory.largest = ~std::size_t{0};
  w.fabric.hold_sends(at("10.0.0.1"), false);
  block_on(w.where, joined(works));
  std::size_t went_well = 0;
  for (under_way const& each : done) {
    went_well += !each.how;
    CHECK((!each.how || each.how == errc::limit_reached));
  }
  offers.clear();
  for (std::size_t each = 0; each < went_well; ++each) REQUIRE(!block_on(w.where, next_of(w.into)).ec);
  block_on(w.where, all_is_well_again(ends));
}
