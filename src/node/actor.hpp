// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "node/connection.hpp"
#include "node/event_signal.hpp"
#include "node/intake.hpp"
#include "node/node_core.hpp"

#include <rdsco/task.hpp>

#include <concepts>
#include <cstdint>

namespace rdsco::detail {

/// What a transport brings to a path: how a connection comes about, how frames get in and out, how it ends.
template <class Link>
concept path_link = requires(Link& link, std::uint32_t events) {
  /// Whether a new connection begins with a probe, which tells who the peer is. Without one every header acknowledges.
  { Link::probes } -> std::convertible_to<bool>;
  /// Brings a connection about, however long that takes. False: the node closes.
  { link.establish() } -> std::same_as<task<bool>>;
  /// Takes what has arrived. False: the connection is over.
  { link.receive() } -> std::same_as<bool>;
  /// Sends what is queued, as far as it goes, and looks again by itself where path::probe_due(). False: the connection is over.
  { link.transmit() } -> std::same_as<bool>;
  /// Datagrams reached sockets in the last receive(): their readers may answer.
  { link.answers_expected() } -> std::same_as<bool>;
  { link.signal() } -> std::same_as<event_signal&>;
  { link.note(events) };
  /// Lets everything that is under way end, takes what the peer was told we have, and closes.
  { link.tear_down() } -> std::same_as<task<>>;
};

/// The actor of one path: connect, serve, tear down, again, until the node closes. It alone owns the link and the state of
/// the path; sockets only enqueue, and events only raise bits.
template <path_link Link>
task<> run_path(connection& by, Link& link) {
  path& lane = by.lane;
  for (;;) {
    bool const connected = co_await link.establish();
    if (!connected) co_return;
    lane.happened(protocol::path_event::established);
    lane.begin_connection(Link::probes);
    while (link.receive()) {
      // Whoever was woken may answer within this turn; then the answer takes our acknowledgement along.
      if (link.answers_expected()) co_await link.signal().yield();
      if (lane.probe_due()) lane.announce(make_probe_datagram(by.node));
      if (!link.transmit()) break;
      std::uint32_t const events = co_await link.signal().next();
      link.note(events);
    }
    lane.state.drop();
    lane.happened(protocol::path_event::shutdown);
    co_await link.tear_down();
    lane.happened(protocol::path_event::torn_down);
    ++by.node.counted.conn_reset;
    lane.reset();
  }
}

}  // namespace rdsco::detail
