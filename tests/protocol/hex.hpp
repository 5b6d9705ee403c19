// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace rdsco::test {

inline unsigned nibble(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  throw std::invalid_argument("not a hexadecimal digit");
}

inline std::vector<std::byte> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) throw std::invalid_argument("odd number of hexadecimal digits");
  std::vector<std::byte> bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(nibble(text[i]) << 4 | nibble(text[i + 1])));
  }
  return bytes;
}

inline std::string to_hex(std::span<std::byte const> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (std::byte const b : bytes) {
    text += digits[std::to_integer<unsigned>(b) >> 4];
    text += digits[std::to_integer<unsigned>(b) & 15];
  }
  return text;
}

template <std::size_t Size>
std::array<std::byte, Size> array_from_hex(std::string_view text) {
  auto const bytes = from_hex(text);
  if (bytes.size() != Size) throw std::invalid_argument("wrong number of hexadecimal digits");
  std::array<std::byte, Size> fixed{};
  for (std::size_t i = 0; i < Size; ++i) fixed[i] = bytes[i];
  return fixed;
}

}  // namespace rdsco::test
