// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "verbs/api.hpp"

namespace rdsco::verbs {

// The calls of the table that are about a device's own events, on rdma-core.
//
// The connection manager opens an adapter once for the whole process, so all nodes on it share one queue of events: whoever finds
// something in it gives it to all.
// Threads: any; each subscription that of its loop.
[[nodiscard]] int subscribe(ibv_context* device, device_events*& out) noexcept;
void unsubscribe(device_events* events) noexcept;
[[nodiscard]] int descriptor_of(device_events* events) noexcept;
[[nodiscard]] int next_of(device_events* events, device_event& out) noexcept;

}  // namespace rdsco::verbs
