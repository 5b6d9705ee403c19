// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/detail/mailbox.hpp>
#include <rdsco/detail/slot.hpp>
#include <rdsco/loop.hpp>
#include <rdsco/stop.hpp>
#include <rdsco/task.hpp>
#include <rdsco/task_group.hpp>

#include <exception>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

namespace rdsco {

/// Stops a scope of a loop when a std::stop_token fires, on whatever thread that is.
/// Lifetime: made and destroyed on the loop's thread, or while the loop is not running; the scope outlives it.
class stop_bridge {
 public:
  stop_bridge(loop& where, std::stop_token const& token, stop_scope& scope);
  stop_bridge(stop_bridge const&) = delete;
  stop_bridge& operator=(stop_bridge const&) = delete;
  ~stop_bridge();

 private:
  struct stop_mail : detail::mail {
    explicit stop_mail(stop_scope& which) noexcept : detail::mail(&deliver), scope(which) {}
    static void deliver(detail::mail& self) noexcept { static_cast<stop_mail&>(self).scope.request_stop(); }
    stop_scope& scope;
  };
  struct poster {
    stop_bridge* bridge;
    void operator()() const noexcept { bridge->where_.post(bridge->mail_); }
  };

  loop& where_;
  stop_mail mail_;
  std::optional<std::stop_callback<poster>> callback_;
};

namespace detail {
void run_until_empty(loop& where, task_group& group);
}

/// Runs `where` until `work` has ended. Errors: throws what the task threw. Not from inside the loop.
template <class T>
T block_on(loop& where, task<T> work, std::stop_token const& token) {
  detail::slot<T> value;
  task_group group(where);
  stop_bridge const bridge(where, token, group.scope());
  group.add(detail::fill_branch(std::move(work), &value));
  detail::run_until_empty(where, group);
  if constexpr (!std::is_void_v<T>) return *std::move(value);
}

template <class T>
T block_on(loop& where, task<T> work) {
  return block_on(where, std::move(work), std::stop_token());
}

}  // namespace rdsco
