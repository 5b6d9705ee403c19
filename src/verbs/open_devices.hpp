// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <infiniband/verbs.h>

namespace rdsco::verbs {

/// The devices that this process uses through the connection manager's library, counted over all its loops.
///
/// That library opens a device when an address of it is first named, and keeps it open: after a removal until it meets another device.
/// A driver that can take a device away from a process does not mind. For one that cannot, soft-RoCE and soft-iWARP among them, whoever
/// removes the device waits for every process to close it. So what it holds open is closed here, once nobody uses it.
///
/// Threads: any.

/// 0 or -errno. Once for every user.
[[nodiscard]] int hold_device(ibv_context const* device) noexcept;
/// A user has nothing on it any more. `removed`: the device is on its way out, and nobody can begin to use it.
void let_go_of_device(ibv_context const* device, bool removed) noexcept;

}  // namespace rdsco::verbs
