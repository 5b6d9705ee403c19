// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "node/datagram.hpp"
#include "protocol/header.hpp"

#include <cstdint>

namespace rdsco::detail {

/// The header of a numbered datagram. `ack` is what we acknowledge; `may_ask`: the peer may be asked for its acknowledgement.
[[nodiscard]] inline protocol::header header_of(datagram const& one, std::uint64_t ack, bool may_ask) noexcept {
  protocol::header made;
  made.sequence = one.sequence;
  made.ack = ack;
  made.length = one.length;
  made.source_port = one.source_port;
  made.destination_port = one.destination_port;
  if (one.retransmitted) made.flags |= protocol::flag::retransmitted;
  if (one.acknowledge_soon && may_ask) made.flags |= protocol::flag::ack_required;
  made.extensions = one.extensions;
  return made;
}

}  // namespace rdsco::detail
