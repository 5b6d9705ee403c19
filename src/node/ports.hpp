// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>

namespace rdsco::detail {

// Ports 0 and 1 belong to the protocol: pings and the multipath probe.
inline constexpr std::uint16_t first_bindable_port = 2;
// The node's pings for acknowledgements come from the highest sixteen ports in turn. A pong that a kernel queued on an
// earlier connection can then be told from the one that is expected.
inline constexpr std::uint16_t acknowledgement_ports = 16;
inline constexpr std::uint16_t first_acknowledgement_port = 65536 - acknowledgement_ports;

[[nodiscard]] constexpr bool bindable(std::uint16_t port) noexcept {
  return port >= first_bindable_port && port < first_acknowledgement_port;
}

}  // namespace rdsco::detail
