// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/endpoint.hpp>
#include <rdsco/node_options.hpp>

#include <CLI/CLI.hpp>

#include <chrono>
#include <optional>
#include <string>

// Arguments that CLI11 does not know by itself. Their errors say what was expected, with an example.
namespace rdsco::tools {

/// An option that takes an IPv4 or IPv6 address.
CLI::Option* add_address(CLI::App& to, std::string const& name, std::optional<address>& into, std::string const& text);
/// A number of bytes, perhaps with K, M or G (of 1024).
CLI::Option* add_size(CLI::App& to, std::string const& name, std::size_t& into, std::string const& text);
/// A time in seconds, or with one of the units ms, msec, us, usec.
CLI::Option* add_time(CLI::App& to, std::string const& name, std::chrono::nanoseconds& into, std::string const& text);
/// Subnets, once for each time the option is given.
CLI::Option* add_subnets(CLI::App& to, std::string const& name, std::vector<subnet>& into, std::string const& text);

[[nodiscard]] std::optional<std::chrono::nanoseconds> parse_time(std::string const& text);

}  // namespace rdsco::tools
