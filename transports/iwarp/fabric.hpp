// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "transports/verbs/credits.hpp"
#include "transports/verbs/fabric.hpp"

#include <string_view>

namespace rdsco::detail {

/// iWARP: RDMA over TCP.
struct iwarp_fabric {
  static constexpr std::string_view name = "iwarp";
  static constexpr fabric_capabilities capabilities = [] {
    fabric_capabilities can;
    can.node_type = IBV_NODE_RNIC;
    can.initiator_speaks_first = true;
    can.credits = true;
    can.receives_min = credits::receives_min;
    can.gids = false;
    can.solicited_events = false;
    can.atomics = false;
    can.read_sink_needs_remote_write = true;
    can.addresses_chosen = false;
    return can;
  }();
};

}  // namespace rdsco::detail
