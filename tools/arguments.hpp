// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/endpoint.hpp>
#include <rdsco/node_options.hpp>

#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Arguments that CLI11 does not know by itself. Their errors say what was expected, with an example.
namespace rdsco::tools {

/// An option that takes an IPv4 or IPv6 address.
CLI::Option* add_address(CLI::App& to, std::string const& name, std::optional<address>& into, std::string const& text);
/// Whole numbers from `least` to `most`, in decimal digits.
[[nodiscard]] CLI::Validator whole_number(std::uint64_t least, std::uint64_t most);
template <class T>
CLI::Option* add_number(CLI::App& to, std::string const& name, T& into, std::uint64_t least, std::uint64_t most, std::string const& text,
                        char const* type) {
  return to.add_option(name, into, text)->transform(whole_number(least, most))->type_name(type)->capture_default_str();
}
/// A TCP port to talk to or to listen at.
CLI::Option* add_port(CLI::App& to, std::string const& name, std::uint16_t& into, std::string const& text);
/// The type of service, of 8 bits.
CLI::Option* add_type_of_service(CLI::App& to, std::string const& name, unsigned& into);
/// A number of bytes from `least` to `most`, perhaps with K, M or G (of 1024).
CLI::Option* add_size(CLI::App& to, std::string const& name, std::size_t& into, std::size_t least, std::size_t most, std::string const& text);
/// A time in seconds, or with one of the units ms, msec, us, usec.
CLI::Option* add_time(CLI::App& to, std::string const& name, std::chrono::nanoseconds& into, std::string const& text);
/// Subnets, once for each time the option is given.
CLI::Option* add_subnets(CLI::App& to, std::string const& name, std::vector<subnet>& into, std::string const& text);

[[nodiscard]] std::optional<std::chrono::nanoseconds> parse_time(std::string const& text);
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);

}  // namespace rdsco::tools
