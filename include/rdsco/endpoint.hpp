// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace rdsco {

/// An IPv4 or IPv6 address. IPv4 is kept as ::ffff:a.b.c.d, the form in which RDS compares and keys addresses.
/// `scope` is the interface index of a link-local IPv6 address, 0 otherwise.
class address {
 public:
  using bytes_type = std::array<std::byte, 16>;

  address() noexcept = default;  ///< the unspecified address
  address(bytes_type const& bytes, std::uint32_t scope) noexcept : bytes_(bytes), scope_(scope) {}

  [[nodiscard]] static address v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) noexcept;
  /// "10.0.0.1", "fd00::1", "fe80::1%eth0" or "fe80::1%3". Nothing else; names are not resolved.
  [[nodiscard]] static std::optional<address> parse(std::string_view text);

  [[nodiscard]] bytes_type const& bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::uint32_t scope() const noexcept { return scope_; }
  [[nodiscard]] bool is_v4() const noexcept {
    static constexpr std::array<std::byte, 12> mapped{std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0},
                                                      std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0},
                                                      std::byte{0}, std::byte{0}, std::byte{0xff}, std::byte{0xff}};
    return std::memcmp(bytes_.data(), mapped.data(), mapped.size()) == 0;
  }
  [[nodiscard]] bool is_unspecified() const noexcept;  ///< 0.0.0.0 or ::
  [[nodiscard]] bool is_multicast() const noexcept;    ///< multicast, or the IPv4 limited broadcast
  [[nodiscard]] bool is_link_local() const noexcept;
  [[nodiscard]] std::string to_string() const;

  friend auto operator<=>(address const&, address const&) noexcept = default;
  // Compared for every datagram: two words, not sixteen bytes.
  friend bool operator==(address const& a, address const& b) noexcept {
    return std::memcmp(a.bytes_.data(), b.bytes_.data(), sizeof(bytes_type)) == 0 && a.scope_ == b.scope_;
  }

 private:
  bytes_type bytes_{};
  std::uint32_t scope_ = 0;
};

/// An address and an RDS port (or, for what lies below RDS, a TCP port).
struct endpoint {
  address host;
  std::uint16_t port = 0;

  endpoint() noexcept = default;
  endpoint(address const& at, std::uint16_t number) noexcept : host(at), port(number) {}

  /// "10.0.0.1:4000" or "[fd00::1]:4000".
  [[nodiscard]] static std::optional<endpoint> parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;

  friend auto operator<=>(endpoint const&, endpoint const&) noexcept = default;
};

}  // namespace rdsco

template <>
struct std::hash<rdsco::address> {
  std::size_t operator()(rdsco::address const& value) const noexcept;
};
template <>
struct std::hash<rdsco::endpoint> {
  std::size_t operator()(rdsco::endpoint const& value) const noexcept {
    return std::hash<rdsco::address>{}(value.host) * 31 + value.port;
  }
};
