// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a registration that one peer may still reach is lent to another, one that nobody may reach is kept, or so many are kept
// that an adapter has none left.
// Forced by: ranges taken and given back for two holders, on devices with few registrations.

#include "verbs/bare_host.hpp"
#include "verbs/slot_pool.hpp"

#include <cerrno>

namespace {

using namespace rdsco;
using namespace rdsco::test;

constexpr std::size_t range = 64;

struct pool_of_few {
  fake_fabric fabric;
  bare_host host{fabric, "10.0.0.1"};
  std::vector<std::byte> memory = std::vector<std::byte>(100 * range);
  int one = 0, other = 0;  // holders
  verbs::slot_pool slots{*host.api};

  explicit pool_of_few(int registrations_max) { slots.set_limits(registrations_max); }
  // 0 or -errno.
  int take(std::size_t index, int const& holder, verbs::slot*& out) {
    return slots.take(host.domain, memory.data() + index * range, range, 0, IBV_ACCESS_REMOTE_READ, &holder, out);
  }
  verbs::slot& taken(std::size_t index, int const& holder) {
    verbs::slot* made = nullptr;
    REQUIRE(take(index, holder, made) == 0);
    return *made;
  }
};

}  // namespace

TEST_CASE("a slot that was given back is for its holder alone, as it is") {
  pool_of_few w(100);
  auto& first = w.taken(0, w.one);
  auto const key = first.native->rkey;
  w.slots.give_back(first, false);
  CHECK(w.slots.kept() == 1);
  auto& others = w.taken(0, w.other);
  CHECK(others.native->rkey != key);
  CHECK(w.slots.kept() == 1);
  auto& again = w.taken(0, w.one);
  CHECK(again.native->rkey == key);
  CHECK(w.slots.kept() == 0);
  for (verbs::slot* const each : {&others, &again}) w.slots.give_back(*each, true);
}

TEST_CASE("what nobody may reach any more is not kept") {
  pool_of_few w(100);
  w.slots.give_back(w.taken(0, w.one), true);
  CHECK(w.slots.kept() == 0);
  CHECK(w.slots.registered() == 0);
}

TEST_CASE("when many were given back all of them end, before registrations run out") {
  pool_of_few w(100);  // of which half may be slots
  for (std::size_t index = 0; index < 9; ++index) w.slots.give_back(w.taken(index, w.one), false);
  CHECK(w.slots.kept() == 9);
  w.slots.give_back(w.taken(9, w.one), false);
  CHECK(w.slots.kept() == 0);
  CHECK(w.slots.registered() == 0);
}

TEST_CASE("where all registrations are taken there is none; those that were only kept make room") {
  pool_of_few w(20);
  std::vector<verbs::slot*> all;
  w.slots.give_back(w.taken(50, w.one), false);
  for (std::size_t index = 0; index < 10; ++index) all.push_back(&w.taken(index, w.one));
  verbs::slot* made = nullptr;
  CHECK(w.take(10, w.one, made) == -ENOSPC);
  w.slots.give_back(*all.back(), true);
  all.back() = &w.taken(10, w.one);
  for (verbs::slot* const each : all) w.slots.give_back(*each, true);
}

TEST_CASE("what was kept of a range ends with it, and the rest stays") {
  pool_of_few w(100);
  for (std::size_t index = 0; index < 4; ++index) w.slots.give_back(w.taken(index, w.one), false);
  w.slots.flush_range(w.memory.data() + range, 2 * range);
  CHECK(w.slots.kept() == 2);
  CHECK(w.slots.registered() == 2);
}
