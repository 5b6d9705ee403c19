// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/node_options.hpp>

#include <string>
#include <vector>

namespace rdsco::tools {

/// The transports that this command was built with.
[[nodiscard]] std::vector<std::string> transport_names();

/// The node is to own `at` with the transport of that name.
void own(node_options& settings, address const& at, std::string const& transport);

}  // namespace rdsco::tools
