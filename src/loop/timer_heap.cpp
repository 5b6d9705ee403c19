// SPDX-License-Identifier: BSD-2-Clause
#include <rdsco/detail/timer.hpp>

namespace rdsco::detail {

std::optional<time_point> timer_heap::next_deadline() const noexcept {
  if (entries_.empty()) return std::nullopt;
  return entries_.front().when;
}

void timer_heap::add(timer& value) noexcept {
  remove(value);
  entry const fresh{value.when, next_sequence_++, &value};
  entries_.push_back(fresh);
  sift_up(entries_.size() - 1, fresh);
}

void timer_heap::remove(timer& value) noexcept {
  if (!value.armed()) return;
  std::size_t const hole = value.index;
  entry const last = entries_.back();
  entries_.pop_back();
  value.index = timer::not_armed;
  if (hole == entries_.size()) return;
  if (hole > 0 && last.before(entries_[(hole - 1) / 2]))
    sift_up(hole, last);
  else
    sift_down(hole, last);
}

std::size_t timer_heap::expire(time_point now) noexcept {
  std::uint64_t const first_new = next_sequence_;
  std::size_t count = 0;
  while (!entries_.empty() && entries_.front().when <= now && entries_.front().sequence < first_new) {
    timer& due = *entries_.front().value;
    remove(due);
    ++count;
    due.expired(due);
  }
  return count;
}

void timer_heap::place(std::size_t at, entry const& value) noexcept {
  entries_[at] = value;
  value.value->index = at;
}

void timer_heap::sift_up(std::size_t at, entry value) noexcept {
  while (at > 0) {
    std::size_t const parent = (at - 1) / 2;
    if (!value.before(entries_[parent])) break;
    place(at, entries_[parent]);
    at = parent;
  }
  place(at, value);
}

void timer_heap::sift_down(std::size_t at, entry value) noexcept {
  for (;;) {
    std::size_t child = 2 * at + 1;
    if (child >= entries_.size()) break;
    if (child + 1 < entries_.size() && entries_[child + 1].before(entries_[child])) ++child;
    if (!entries_[child].before(value)) break;
    place(at, entries_[child]);
    at = child;
  }
  place(at, value);
}

}  // namespace rdsco::detail
