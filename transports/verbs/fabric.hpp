// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <infiniband/verbs.h>

#include <concepts>
#include <string_view>

namespace rdsco::detail {

/// What differs between the fabrics below RDS over verbs. The common code asks for these, never for a fabric by name.
///
/// Code that one fabric alone uses counts as that fabric's (scripts/share): what stands under `if constexpr (can.x)`, and lines and whole
/// files that say "only: can.x".
struct fabric_capabilities {
  ibv_node_type node_type = IBV_NODE_UNKNOWN;  ///< of the adapters
  /// The side that connected must send first; the other holds its first message back until something came (MPA of iWARP).
  bool initiator_speaks_first = false;
  /// Nothing below RDS holds a sender back that finds no receive posted: messages are counted out by the receiver.
  bool credits = false;
  /// A receiver may sleep until a message asks to be announced.
  bool solicited_events = true;
};

template <class F>
concept verbs_fabric = requires {
  { F::name } -> std::convertible_to<std::string_view>;
  { F::capabilities.node_type } -> std::convertible_to<ibv_node_type>;
};

}  // namespace rdsco::detail
