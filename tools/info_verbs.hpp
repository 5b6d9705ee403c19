// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <nlohmann/json.hpp>

#include <string>

namespace rdsco::tools {

/// The table of `rds-info -I`, from the JSON of its rows. `verbose` adds the rings, as there, and behind them what rds-info has not.
[[nodiscard]] std::string ib_table(nlohmann::ordered_json const& rows, bool verbose);
/// Where the node's addresses lie, and by which GIDs they are to be reached.
[[nodiscard]] std::string verbs_address_table(nlohmann::ordered_json const& rows);
/// Connections that are down, and why; nothing where there are none.
[[nodiscard]] std::string trouble_table(nlohmann::ordered_json const& rows);

}  // namespace rdsco::tools
