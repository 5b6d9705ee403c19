// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "node/carrier.hpp"
#include "node/port_table.hpp"
#include "protocol/congestion_map.hpp"

#include <rdsco/endpoint.hpp>
#include <rdsco/fwd.hpp>
#include <rdsco/node_options.hpp>

namespace rdsco::detail {

/// One address that the node owns: who is bound there, which of its ports are congested, and who carries its traffic.
struct local_host {
  node_core& node;
  address at;
  transport& by;
  transport_capabilities capabilities;
  port_table ports;
  protocol::congestion_map congested;

  local_host(node_core& owner, node_options::owned_address const& own, transport& carried_by) noexcept
      : node(owner), at(own.at), by(carried_by), capabilities(own.capabilities) {}

  /// Their transport carries traffic between the two. To itself an address has one connection, which cannot be both ends of an adapter's.
  [[nodiscard]] bool reaches(local_host const& other) const noexcept {
    bool const both = capabilities.loopback == bridging::device && other.capabilities.loopback == bridging::device;
    return both && &by == &other.by && this != &other;
  }
};

}  // namespace rdsco::detail
