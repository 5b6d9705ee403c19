// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/detail/slot.hpp>
#include <rdsco/task.hpp>
#include <rdsco/task_group.hpp>
#include <rdsco/this_task.hpp>

#include <array>
#include <cstddef>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace rdsco {

/// Which task ended first, and its value at the same place of the variant: std::get<0>(r.value) for index 0.
template <class... T>
struct any_result {
  std::size_t index;
  std::variant<detail::value_or_monostate<T>...> value;

  any_result(std::size_t which, std::variant<detail::value_or_monostate<T>...> what) : index(which), value(std::move(what)) {}
};

namespace detail {

template <class... T>
struct race {
  task_group& group;
  std::size_t winner = sizeof...(T);
  std::exception_ptr error;
  std::optional<std::variant<value_or_monostate<T>...>> value;

  explicit race(task_group& runners) noexcept : group(runners) {}
  [[nodiscard]] bool decide(std::size_t index) noexcept {
    if (winner != sizeof...(T)) return false;
    winner = index;
    group.stop();
    return true;
  }
};

template <std::size_t I, class T, class... All>
branch run_in_race(task<T> work, race<All...>* contest) {
  slot<T> outcome;
  std::exception_ptr error;
  try {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(work);
      outcome.emplace();
    } else {
      outcome.emplace(co_await std::move(work));
    }
  } catch (...) {
    error = std::current_exception();
  }
  if (!contest->decide(I)) co_return;
  if (outcome)
    contest->value.emplace(std::in_place_index<I>, *std::move(outcome));
  else
    contest->error = std::move(error);
}

template <class... T, std::size_t... I>
std::array<branch, sizeof...(T)> enter_race(race<T...>& contest, std::index_sequence<I...>, task<T>&... work) {
  return {run_in_race<I>(std::move(work), &contest)...};
}

}  // namespace detail

/// Runs all tasks beside each other until one has ended; the others are stopped, and awaited.
/// Completes when all have ended, with what the first of them returned. A loser's value or exception is dropped: a loser
/// that takes something (a datagram) must put it where it is not lost.
/// Errors: throws what the first task to end threw.
template <class... T>
  requires(sizeof...(T) > 0)
task<any_result<T...>> when_any(task<T>... work) {
  loop& where = co_await this_task::loop();
  task_group group(where);
  detail::race<T...> contest(group);
  auto branches = detail::enter_race<T...>(contest, std::index_sequence_for<T...>(), work...);
  for (auto& one : branches) group.add(std::move(one));
  co_await group.join();
  if (contest.error) std::rethrow_exception(std::move(contest.error));
  co_return any_result<T...>(contest.winner, *std::move(contest.value));
}

}  // namespace rdsco
