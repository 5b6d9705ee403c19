// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/detail/intrusive_list.hpp>

#include <cstdint>

namespace rdsco::detail {

struct by_wait;

/// Whoever waits to send: for a port of a peer to be free, or for room in its socket's send buffer. It stands in one list
/// at a time. `retry` looks again and puts the waiter back on a list where it must go on waiting.
struct send_waiter : list_hook<by_wait> {
  void (*retry)(send_waiter&) noexcept = nullptr;
};

using send_waiter_list = intrusive_list<send_waiter, by_wait>;

}  // namespace rdsco::detail
