// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/detail/slot.hpp>
#include <rdsco/task.hpp>
#include <rdsco/task_group.hpp>
#include <rdsco/this_task.hpp>

#include <array>
#include <cstddef>
#include <tuple>
#include <utility>
#include <vector>

namespace rdsco {

/// Runs all tasks beside each other.
/// Completes when all have ended, with their values in order; void becomes std::monostate.
/// Cancellation: reaches all tasks. Errors: the first exception stops the others and is thrown when all have ended.
template <class... T>
task<std::tuple<detail::value_or_monostate<T>...>> when_all(task<T>... work) {
  loop& where = co_await this_task::loop();
  std::tuple<detail::slot<T>...> values;
  auto branches = std::apply(
      [&](auto&... into) { return std::array<detail::branch, sizeof...(T)>{detail::fill_branch(std::move(work), &into)...}; }, values);
  task_group group(where);
  for (auto& one : branches) group.add(std::move(one));
  co_await group.join();
  co_return std::apply([](auto&... value) { return std::tuple<detail::value_or_monostate<T>...>(*std::move(value)...); }, values);
}

/// The same for any number of tasks of one type.
template <class T>
task<std::vector<detail::value_or_monostate<T>>> when_all(std::vector<task<T>> work) {
  loop& where = co_await this_task::loop();
  std::vector<detail::slot<T>> values(work.size());
  std::vector<detail::branch> branches;
  branches.reserve(work.size());
  for (std::size_t i = 0; i < work.size(); ++i) branches.push_back(detail::fill_branch(std::move(work[i]), &values[i]));
  std::vector<detail::value_or_monostate<T>> out;
  out.reserve(work.size());
  task_group group(where);
  for (auto& one : branches) group.add(std::move(one));
  co_await group.join();
  for (auto& value : values) out.push_back(*std::move(value));
  co_return out;
}

}  // namespace rdsco
