// SPDX-License-Identifier: BSD-2-Clause
// Wrong could go: an order that is not the promised one, a link left behind, a timer lost in the heap.
// Forced by: comparing with the standard library's containers over long random sequences from a fixed seed.
#include "loop/spin_budget.hpp"

#include <rdsco/detail/intrusive_list.hpp>
#include <rdsco/detail/ready.hpp>
#include <rdsco/detail/timer.hpp>
#include <rdsco/stop.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <vector>

using namespace rdsco;
using namespace rdsco::detail;
using namespace std::chrono_literals;

TEST_CASE("the ready queue is first in first out, and takes from the middle") {
  std::vector<std::unique_ptr<ready_item>> items;
  for (int i = 0; i < 20; ++i) items.push_back(std::make_unique<ready_item>());
  ready_queue queue;
  std::deque<ready_item*> model;
  std::mt19937 random(1);
  for (int step = 0; step < 20'000; ++step) {
    ready_item& item = *items[random() % items.size()];
    if (random() % 2 == 0) {
      if (!item.queued) model.push_back(&item);
      queue.push_back(item);
    } else if (!model.empty()) {
      std::size_t const at = random() % 2 == 0 ? 0 : random() % model.size();
      ready_item* const taken = at == 0 ? queue.pop_front() : queue.take(at);
      REQUIRE(taken == model[at]);
      REQUIRE_FALSE(taken->queued);
      model.erase(model.begin() + static_cast<std::ptrdiff_t>(at));
    }
    REQUIRE(queue.size() == model.size());
    REQUIRE(queue.empty() == model.empty());
  }
  while (queue.pop_front() != nullptr) {}
  REQUIRE(queue.take(3) == nullptr);
}

namespace {

struct other_tag;
struct element : list_hook<>, list_hook<other_tag> {
  explicit element(int number) noexcept : value(number) {}
  int value;
};

std::vector<int> values(intrusive_list<element>& list) {
  std::vector<int> all;
  for (auto& each : list) all.push_back(each.value);
  return all;
}

}  // namespace

TEST_CASE("an element leaves a list without knowing it") {
  element a(1), b(2), c(3), d(4);
  intrusive_list<element> list, more;
  intrusive_list<element, other_tag> second;
  list.push_back(b);
  list.push_front(a);
  list.push_back(c);
  second.push_back(b);
  REQUIRE(values(list) == std::vector{1, 2, 3});
  b.list_hook<>::unlink();
  b.list_hook<>::unlink();
  REQUIRE(values(list) == std::vector{1, 3});
  REQUIRE(&second.front() == &b);
  more.push_back(b);
  more.push_back(d);
  list.splice_front(more);
  REQUIRE(more.empty());
  REQUIRE(values(list) == std::vector{2, 4, 1, 3});
  more.push_back(*list.pop_front());
  list.splice_back(more);
  REQUIRE(values(list) == std::vector{4, 1, 3, 2});
  list.splice_back(more);
  REQUIRE(list.back().value == 2);
  while (list.pop_front() != nullptr) {}
  REQUIRE(list.empty());
  REQUIRE(second.pop_front() == &b);
}

namespace {

struct noted_timer : timer {
  noted_timer(int name, std::vector<int>* to) noexcept : timer(&note), number(name), into(to) {}
  static void note(timer& self) noexcept {
    auto& mine = static_cast<noted_timer&>(self);
    mine.into->push_back(mine.number);
  }
  int number;
  std::vector<int>* into;
};

}  // namespace

TEST_CASE("timers expire in order, equal ones in the order of their arming") {
  std::vector<int> expired, expected;
  std::vector<std::unique_ptr<noted_timer>> timers;
  for (int i = 0; i < 64; ++i) timers.push_back(std::make_unique<noted_timer>(i, &expired));
  timer_heap heap;
  std::map<std::pair<time_point, int>, int> model;
  std::mt19937 random(2);
  std::map<int, std::pair<time_point, int>> where;
  time_point now{};
  for (int step = 0; step < 30'000; ++step) {
    int const which = static_cast<int>(random() % timers.size());
    noted_timer& one = *timers[static_cast<std::size_t>(which)];
    if (where.contains(which)) model.erase(where[which]);
    where.erase(which);
    if (random() % 4 != 0) {
      one.when = now + std::chrono::nanoseconds(random() % 50);
      heap.add(one);
      where[which] = {one.when, step};
      model[where[which]] = which;
    } else {
      heap.remove(one);
      heap.remove(one);
    }
    if (random() % 8 == 0) {
      now += std::chrono::nanoseconds(random() % 20);
      heap.expire(now);
      while (!model.empty() && model.begin()->first.first <= now) {
        where.erase(model.begin()->second);
        expected.push_back(model.begin()->second);
        model.erase(model.begin());
      }
      REQUIRE(expired == expected);
      expired.clear();
      expected.clear();
    }
    REQUIRE(heap.size() == model.size());
    if (!model.empty()) {
      REQUIRE(heap.next_deadline() == model.begin()->first.first);
    }
  }
}

TEST_CASE("a timer that arms itself again does not keep expire() going") {
  struct again : timer {
    explicit again(timer_heap& in) noexcept : timer(&rearm), heap(in) {}
    static void rearm(timer& self) noexcept {
      auto& mine = static_cast<again&>(self);
      ++mine.count;
      mine.heap.add(mine);
    }
    timer_heap& heap;
    int count = 0;
  };
  timer_heap heap;
  again one(heap);
  heap.add(one);
  REQUIRE(heap.expire(time_point(1s)) == 1);
  REQUIRE(heap.expire(time_point(1s)) == 1);
  REQUIRE(one.count == 2);
  heap.remove(one);
}

namespace {

struct noted_stop : stop_callback {
  explicit noted_stop(int* to, stop_callback* other = nullptr) noexcept : stop_callback(&note), count(to), leaves(other) {}
  static void note(stop_callback& self) noexcept {
    auto& mine = static_cast<noted_stop&>(self);
    ++*mine.count;
    if (mine.leaves != nullptr) mine.leaves->unlink();
  }
  int* count;
  stop_callback* leaves;
};

}  // namespace

TEST_CASE("a stopped scope tells everybody once") {
  int count = 0;
  stop_scope parent;
  stop_scope child(&parent);
  noted_stop last(&count), first(&count, &last), below(&count);
  REQUIRE(parent.add(first));
  REQUIRE(parent.add(last));
  REQUIRE(child.add(below));
  parent.request_stop();
  REQUIRE(count == 2);  // `first` made `last` leave
  REQUIRE(child.stop_requested());
  parent.request_stop();
  child.request_stop();
  REQUIRE(count == 2);
  REQUIRE_FALSE(parent.add(last));
  REQUIRE_FALSE(last.registered());
  stop_scope born_stopped(&parent);
  REQUIRE(born_stopped.stop_requested());
  stop_scope alone(nullptr);
  REQUIRE_FALSE(alone.stop_requested());
}

TEST_CASE("spinning pays or stops") {
  spin_budget budget(64us, 2);
  REQUIRE(budget.enabled());
  REQUIRE(budget.next() == 64us);
  budget.missed();
  REQUIRE(budget.next() == 32us);
  budget.hit();
  REQUIRE(budget.next() == 64us);
  for (unsigned i = 0; i < spin_budget::misses_to_give_up; ++i) budget.missed();
  unsigned tried = 0;
  for (unsigned i = 0; i < 10 * spin_budget::probe_every; ++i) tried += budget.next() > 0us ? 1 : 0;
  REQUIRE(tried == 10);
  duration probe{};
  while ((probe = budget.next()) == 0us) {}
  REQUIRE(probe == 64us);
  budget.hit();
  REQUIRE(budget.next() > 0us);
  REQUIRE(budget.next() > 0us);
  REQUIRE_FALSE(spin_budget(64us, 1).enabled());
  REQUIRE(spin_budget(64us, 1).next() == 0us);
  REQUIRE_FALSE(spin_budget(0us, 8).enabled());
  REQUIRE_FALSE(spin_budget(-1us, 8).enabled());
}
