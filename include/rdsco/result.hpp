// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/error.hpp>

#include <utility>

namespace rdsco {

/// What every awaited operation returns: an error code and a value, plain members for `auto [ec, value] = …`.
/// Where `ec` is set, `data` is value-initialised unless the operation's contract says more.
template <class T = void>
struct [[nodiscard]] result {
  std::error_code ec;
  T data{};

  result() = default;
  result(T value) : data(std::move(value)) {}  // NOLINT: a value is a result
  result(std::error_code error) noexcept : ec(error) {}
  result(errc error) noexcept : ec(error) {}
  result(std::error_code error, T value) : ec(error), data(std::move(value)) {}

  explicit operator bool() const noexcept { return !ec; }

  /// The value. Errors: throws std::system_error where `ec` is set.
  T& value() & {
    throw_if_failed();
    return data;
  }
  T value() && {
    throw_if_failed();
    return std::move(data);
  }

 private:
  void throw_if_failed() const {
    if (ec) throw std::system_error(ec);
  }
};

template <>
struct [[nodiscard]] result<void> {
  std::error_code ec;

  result() = default;
  result(std::error_code error) noexcept : ec(error) {}
  result(errc error) noexcept : ec(error) {}

  explicit operator bool() const noexcept { return !ec; }
  void value() const {
    if (ec) throw std::system_error(ec);
  }
};

}  // namespace rdsco
