// SPDX-License-Identifier: BSD-2-Clause
#include <rdsco/endpoint.hpp>

#include <charconv>

namespace rdsco {
namespace {

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t number = 0;
  auto const [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

std::optional<endpoint> endpoint::parse(std::string_view text) {
  auto const colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  bool const bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  auto const at = address::parse(host);
  auto const number = parse_port(text.substr(colon + 1));
  // An IPv6 address without brackets would swallow the port, or be cut short by it.
  bool const written_as_v6 = host.find(':') != std::string_view::npos;
  if (!at || !number || bracketed != written_as_v6) return std::nullopt;
  return endpoint(*at, *number);
}

std::string endpoint::to_string() const {
  std::string const text = host.to_string();
  return (host.is_v4() ? text : '[' + text + ']') + ':' + std::to_string(port);
}

}  // namespace rdsco
