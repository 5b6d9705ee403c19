// SPDX-License-Identifier: BSD-2-Clause
#include <rdsco/endpoint.hpp>

#include <arpa/inet.h>
#include <net/if.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace rdsco {
namespace {

constexpr std::size_t v4_offset = 12;

address from_v4_bytes(void const* four) noexcept {
  address::bytes_type bytes{};
  bytes[10] = bytes[11] = std::byte{0xff};
  std::memcpy(bytes.data() + v4_offset, four, 4);
  return {bytes, 0};
}

std::uint8_t octet(address::bytes_type const& bytes, std::size_t at) noexcept { return std::to_integer<std::uint8_t>(bytes[at]); }

/// "%3" by number, "%eth0" by name; 0: no such interface.
std::uint32_t scope_of(std::string const& name) {
  std::uint32_t number = 0;
  auto const [end, failed] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (failed == std::errc() && end == name.data() + name.size()) return number;
  return ::if_nametoindex(name.c_str());
}

std::optional<address> parse_v6(std::string const& text) {
  auto const percent = text.find('%');
  in6_addr parsed{};
  if (::inet_pton(AF_INET6, text.substr(0, percent).c_str(), &parsed) != 1) return std::nullopt;
  address::bytes_type bytes{};
  std::memcpy(bytes.data(), &parsed, bytes.size());
  if (percent == std::string::npos) return address(bytes, 0);
  // Only a link-local address means different hosts on different interfaces.
  std::uint32_t const scope = scope_of(text.substr(percent + 1));
  if (scope == 0 || !address(bytes, scope).is_link_local()) return std::nullopt;
  return address(bytes, scope);
}

}  // namespace

address address::v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) noexcept {
  std::array<std::uint8_t, 4> const four{a, b, c, d};
  return from_v4_bytes(four.data());
}

std::optional<address> address::parse(std::string_view text) {
  // Longer than any address with an interface name; and inet_pton() would stop at an embedded zero.
  constexpr std::size_t longest = INET6_ADDRSTRLEN + IF_NAMESIZE;
  if (text.empty() || text.size() > longest || text.find('\0') != std::string_view::npos) return std::nullopt;
  std::string const terminated(text);
  in_addr v4{};
  if (::inet_pton(AF_INET, terminated.c_str(), &v4) == 1) return from_v4_bytes(&v4);
  return parse_v6(terminated);
}

bool address::is_unspecified() const noexcept {
  auto const first = is_v4() ? bytes_.begin() + v4_offset : bytes_.begin();
  return std::all_of(first, bytes_.end(), [](std::byte each) { return each == std::byte{0}; });
}

bool address::is_multicast() const noexcept {
  if (!is_v4()) return octet(bytes_, 0) == 0xff;
  bool const broadcast =
      std::all_of(bytes_.begin() + v4_offset, bytes_.end(), [](std::byte each) { return each == std::byte{0xff}; });
  return broadcast || (octet(bytes_, v4_offset) & 0xf0) == 0xe0;
}

bool address::is_link_local() const noexcept { return octet(bytes_, 0) == 0xfe && (octet(bytes_, 1) & 0xc0) == 0x80; }

std::string address::to_string() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (is_v4())
    ::inet_ntop(AF_INET, bytes_.data() + v4_offset, text.data(), text.size());
  else
    ::inet_ntop(AF_INET6, bytes_.data(), text.data(), text.size());
  std::string out(text.data());
  if (scope_ != 0) out += '%' + std::to_string(scope_);
  return out;
}

}  // namespace rdsco

std::size_t std::hash<rdsco::address>::operator()(rdsco::address const& value) const noexcept {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  std::memcpy(&high, value.bytes().data(), sizeof high);
  std::memcpy(&low, value.bytes().data() + sizeof high, sizeof low);
  // Neighbouring addresses differ in few bits: two rounds of multiply and fold spread them over the whole word.
  constexpr std::uint64_t odd = 0x9e37'79b9'7f4a'7c15U;
  std::uint64_t mixed = (high ^ (std::uint64_t{value.scope()} << 32)) * odd + low;
  mixed = (mixed ^ (mixed >> 31)) * 0xbf58'476d'1ce4'e5b9U;
  mixed = (mixed ^ (mixed >> 29)) * odd;
  return static_cast<std::size_t>(mixed ^ (mixed >> 32));
}
