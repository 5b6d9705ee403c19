// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/detail/intrusive_list.hpp>

namespace rdsco::detail {

struct by_receive;

/// Whoever waits for a datagram. `woken` is called once, off the list: with a claim on one datagram, or because the
/// socket closed.
struct receive_waiter : list_hook<by_receive> {
  void (*woken)(receive_waiter&) noexcept = nullptr;
};

using receive_waiter_list = intrusive_list<receive_waiter, by_receive>;

}  // namespace rdsco::detail
