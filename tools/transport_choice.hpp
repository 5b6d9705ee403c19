// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/node_options.hpp>

#include <CLI/CLI.hpp>

#include <string>

namespace rdsco::tools {

/// An option that takes the name of a transport: those that this command was built with.
CLI::Option* add_transport(CLI::App& to, std::string& into);

/// The node is to own `at` with the transport of that name.
void own(node_options& settings, address const& at, std::string const& transport);

}  // namespace rdsco::tools
