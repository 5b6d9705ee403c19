// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/endpoint.hpp>

#include <string>

namespace rdsco::tools {

enum class address_family : std::uint8_t { any, v4, v6 };

/// The address that `host` is, or that a host of this name has; where it has several and `wanted` leaves a choice, an IPv4 one.
/// Blocks while the system asks for it. Errors: throws failure.
[[nodiscard]] address address_of_host(std::string const& host, address_family wanted = address_family::any);

}  // namespace rdsco::tools
