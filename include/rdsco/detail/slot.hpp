// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/detail/branch.hpp>
#include <rdsco/task.hpp>

#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace rdsco::detail {

/// What a task's value becomes inside a tuple, vector or variant.
template <class T>
using value_or_monostate = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

template <class T>
using slot = std::optional<value_or_monostate<T>>;

/// Awaits `work`; its value goes to `into`.
template <class T>
branch fill_branch(task<T> work, slot<T>* into) {
  if constexpr (std::is_void_v<T>) {
    co_await std::move(work);
    into->emplace();
  } else {
    into->emplace(co_await std::move(work));
  }
}

}  // namespace rdsco::detail
