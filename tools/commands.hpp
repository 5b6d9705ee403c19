// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "tools/info.hpp"
#include "tools/ping.hpp"
#include "tools/stress.hpp"

#include <CLI/CLI.hpp>

// What the commands are told on the command line. The commands themselves do not know CLI11, which takes long to compile.
namespace rdsco::tools {

CLI::App* describe(CLI::App& app, ping_options& options);
CLI::App* describe(CLI::App& app, info_options& options);
CLI::App* describe(CLI::App& app, stress_options& options);
/// Errors: throws CLI::ParseError where options contradict each other.
void check(stress_options const& options);

}  // namespace rdsco::tools
