// SPDX-License-Identifier: BSD-2-Clause
#include "tools/arguments.hpp"

#include <fmt/core.h>

#include <array>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <utility>

namespace rdsco::tools {

namespace {

// CLI11 hands the text over after parsing; what is wrong with it is thrown as its own kind of error.
template <class Parse>
CLI::Option* add_parsed(CLI::App& to, std::string const& name, std::string const& text, char const* type, std::string expected,
                        Parse parse) {
  return to.add_option_function<std::string>(
               name,
               [name, expected, parse](std::string const& given) {
                 if (!parse(given)) throw CLI::ValidationError(name, "'" + given + "' is not " + expected);
               },
               text)
      ->type_name(type);
}

constexpr char const* address_expected = "an address, such as 10.0.0.1, fd00::1 or fe80::1%eth0 (names are not resolved)";

// CLI11's own conversions take "-3" for a huge number, and "010" for 8: what comes to them is written anew.
template <class Parse>
CLI::Validator between(std::uint64_t least, std::uint64_t most, std::string const& expected, Parse parse) {
  auto const judge = [=](std::string& given) {
    auto const parsed = parse(given);
    if (!parsed || *parsed < least || *parsed > most) return "'" + given + "' is not " + expected;
    given = std::to_string(*parsed);
    return std::string();
  };
  return {judge, std::to_string(least) + ".." + std::to_string(most)};
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t number = 0;
  auto const [end, why] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (why != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

CLI::Option* add_address(CLI::App& to, std::string const& name, std::optional<address>& into, std::string const& text) {
  return add_parsed(to, name, text, "ADDRESS", address_expected, [&into](std::string const& given) {
    into = address::parse(given);
    return into.has_value();
  });
}

CLI::Validator whole_number(std::uint64_t least, std::uint64_t most) {
  return between(least, most, fmt::format("a whole number from {} to {}", least, most), parse_number);
}

CLI::Option* add_port(CLI::App& to, std::string const& name, std::uint16_t& into, std::string const& text) {
  return add_number(to, name, into, 1, 65535, text, "TCPPORT");
}

CLI::Option* add_type_of_service(CLI::App& to, std::string const& name, unsigned& into) {
  return add_number(to, name, into, 0, 255, "Type of service", "TOS");
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  static constexpr std::string_view units = "KMG";
  auto const unit = text.empty() ? text.npos : units.find(static_cast<char>(std::toupper(static_cast<unsigned char>(text.back()))));
  auto const shift = unit == text.npos ? 0 : 10 * (unit + 1);
  auto const number = parse_number(unit == text.npos ? text : text.substr(0, text.size() - 1));
  if (!number || *number > UINT64_MAX >> shift) return std::nullopt;
  return *number << shift;
}

CLI::Option* add_size(CLI::App& to, std::string const& name, std::size_t& into, std::size_t least, std::size_t most, std::string const& text) {
  auto const expected = fmt::format("a size from {} to {} bytes, such as 4096, 64K or 1M", least, most);
  return to.add_option(name, into, text)->transform(between(least, most, expected, parse_size))->type_name("BYTES[K|M|G]")->capture_default_str();
}

std::optional<std::chrono::nanoseconds> parse_time(std::string const& text) {
  char* unit = nullptr;
  double const number = std::strtod(text.c_str(), &unit);
  static constexpr std::array<std::pair<char const*, double>, 6> units{
      {{"", 1e9}, {"s", 1e9}, {"ms", 1e6}, {"msec", 1e6}, {"us", 1e3}, {"usec", 1e3}}};
  constexpr double longest = 1e9;  // seconds; what is more does not fit in nanoseconds
  for (auto const& [name, nanoseconds] : units) {
    if (unit == text.c_str() || std::string_view(unit) != name) continue;
    if (!(number > 0) || number * nanoseconds > longest * 1e9) return std::nullopt;
    return std::chrono::nanoseconds(static_cast<std::int64_t>(number * nanoseconds));
  }
  return std::nullopt;
}

CLI::Option* add_time(CLI::App& to, std::string const& name, std::chrono::nanoseconds& into, std::string const& text) {
  return add_parsed(to, name, text, "TIME", "a time, such as 0.5 (seconds), 20ms or 300us", [&into](std::string const& given) {
    auto const parsed = parse_time(given);
    if (parsed) into = *parsed;
    return parsed.has_value();
  });
}

CLI::Option* add_subnets(CLI::App& to, std::string const& name, std::vector<subnet>& into, std::string const& text) {
  return to
      .add_option_function<std::vector<std::string>>(
          name,
          [name, &into](std::vector<std::string> const& given) {
            for (auto const& each : given) {
              auto const parsed = subnet::parse(each);
              if (!parsed) throw CLI::ValidationError(name, "'" + each + "' is not a subnet, such as 10.0.0.0/8 or fd00::/16");
              into.push_back(*parsed);
            }
          },
          text)
      ->type_name("SUBNET");
}

}  // namespace rdsco::tools
