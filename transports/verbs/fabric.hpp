// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/transport.hpp>

#include <infiniband/verbs.h>

#include <concepts>
#include <cstdint>
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
  /// With fewer receives a connection cannot move.
  std::uint32_t receives_min = 1;
  /// Ports have addresses of their own, GIDs, of one type or several.
  bool gids = true;
  /// A message can ask to be announced to a receiver that sleeps until one does, as a kernel may; an rdsco node is woken by every one.
  bool solicited_events = true;
  bool atomics = true;
  /// An adapter places what a read brings like a peer's write, and wants the permission for that.
  bool read_sink_needs_remote_write = false;
  /// Peers can be told to address registered memory from a number of our choice, and so within the 32 bits of a kernel's offset.
  bool addresses_chosen = true;
};

template <class F>
concept verbs_fabric = requires {
  { F::name } -> std::convertible_to<std::string_view>;
  { F::capabilities.node_type } -> std::convertible_to<ibv_node_type>;
};

/// A fabric with an adapter that registers memory so. Which of them it is turns out when a device is opened; all are compiled.
template <verbs_fabric Fabric, registration How>
  requires(How == registration::fastreg || How == registration::fmr)
struct registering : Fabric {
  static constexpr registration memory = How;
};

}  // namespace rdsco::detail
