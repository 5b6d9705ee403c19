// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace rdsco::protocol {

template <std::unsigned_integral T>
constexpr T byteswap(T value) noexcept {
  static_assert(sizeof(T) == 1 || sizeof(T) == 2 || sizeof(T) == 4 || sizeof(T) == 8);
  if constexpr (sizeof(T) == 1) {
    return value;
  } else if constexpr (sizeof(T) == 2) {
    return __builtin_bswap16(value);
  } else if constexpr (sizeof(T) == 4) {
    return __builtin_bswap32(value);
  } else {
    return __builtin_bswap64(value);
  }
}

template <std::unsigned_integral T>
constexpr T big_endian(T value) noexcept {
  return std::endian::native == std::endian::big ? value : byteswap(value);
}

template <std::unsigned_integral T>
constexpr T little_endian(T value) noexcept {
  return std::endian::native == std::endian::little ? value : byteswap(value);
}

// The caller guarantees sizeof(T) bytes at `from` / `to`; no alignment is needed.
template <std::unsigned_integral T>
inline T load_big_endian(std::byte const* from) noexcept {
  T value;
  std::memcpy(&value, from, sizeof value);
  return big_endian(value);
}

template <std::unsigned_integral T>
inline void store_big_endian(std::byte* to, T value) noexcept {
  value = big_endian(value);
  std::memcpy(to, &value, sizeof value);
}

}  // namespace rdsco::protocol
