// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <coroutine>

namespace rdsco {
class loop;
class stop_scope;
}  // namespace rdsco

namespace rdsco::detail {

/// What a coroutine hands down to whatever it awaits.
struct environment {
  loop* where = nullptr;
  stop_scope* stop = nullptr;

  environment() noexcept = default;
  environment(loop* on, stop_scope* scope) noexcept : where(on), stop(scope) {}
};

/// The environment of the coroutine behind `handle`; an empty one for promise types that are not rdsco's, so that
/// operations can be awaited in foreign coroutines too.
template <class P>
[[nodiscard]] environment environment_of(std::coroutine_handle<P> handle) noexcept {
  if constexpr (requires { environment(handle.promise().rdsco_environment()); })
    return handle.promise().rdsco_environment();
  else
    return {};
}
inline environment environment_of(std::coroutine_handle<>) noexcept { return {}; }

}  // namespace rdsco::detail
