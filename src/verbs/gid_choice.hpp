// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "verbs/api.hpp"

#include <rdsco/endpoint.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace rdsco::verbs {

/// "IB", "RoCE v1", "RoCE v2".
[[nodiscard]] std::string_view gid_type_name(std::uint32_t type) noexcept;
/// As an IPv6 address, like the kernel's tables: "::ffff:10.1.0.1".
[[nodiscard]] std::string gid_text(ibv_gid const& gid);

/// The GID by which an address of ours will be reached, as far as it can be told beforehand, and why that one. The connection manager
/// makes the choice, by the address and its RoCE mode.
struct gid_choice {
  std::optional<ibv_gid_entry> chosen;  ///< nothing: no GID of the port carries the address
  std::string why;
};
[[nodiscard]] gid_choice choose_gid(std::span<ibv_gid_entry const> of_device, std::uint8_t port, address const& at);

}  // namespace rdsco::verbs
