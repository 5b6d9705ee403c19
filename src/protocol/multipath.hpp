// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "protocol/extension.hpp"
#include "protocol/header.hpp"

namespace rdsco::protocol {

/// Paths that rdsco announces. Kernels up to 6.12 do not agree on the wire which path is which, and lose and repeat messages when
/// several reconnect; one path has none of that, and every kernel accepts it.
inline constexpr std::uint16_t announced_paths = 1;

constexpr std::uint16_t clamp_paths(std::uint16_t announced) noexcept {
  return std::clamp<std::uint16_t>(announced, 1, max_paths);
}

/// The multipath handshake: a ping from port 1 and its pong to port 1. Numbering them is up to the caller. Only for TCP: over verbs
/// a kernel that gets one misbehaves.
[[nodiscard]] header make_probe(std::optional<node_extension> node = std::nullopt) noexcept;
[[nodiscard]] header make_probe_pong(std::optional<node_extension> node = std::nullopt) noexcept;

/// The answer to an ordinary ping, unnumbered as well.
[[nodiscard]] header make_pong(std::uint16_t to_port) noexcept;

/// What a probe or its pong says about its sender.
struct path_offer {
  std::optional<std::uint16_t> paths;       // 1..8; nothing from a kernel before 4.9
  std::optional<node_extension> node;       // only from an rdsco node
  std::uint32_t generation = 0;             // of the node extension, else of the ordinary one; 0 if neither is there
};

[[nodiscard]] path_offer parse_offer(header const& h) noexcept;

}  // namespace rdsco::protocol
