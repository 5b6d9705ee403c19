// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "measurement.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <utility>

namespace rdsco::bench {

/// What peers put before each payload, so that as many bytes travel as with RDS.
inline constexpr std::size_t header_bytes = 48;

/// A descriptor that closes itself.
class descriptor {
 public:
  explicit descriptor(int number = -1) noexcept : number_(number) {}
  descriptor(descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~descriptor();
  [[nodiscard]] int number() const noexcept { return number_; }

 private:
  int number_;
};

/// Throws std::system_error with the reason when `value` is negative; else it is passed on.
long checked(long value, char const* what);

/// A TCP stream without delay.
[[nodiscard]] descriptor listen_at(std::string const& address, std::uint16_t port);
[[nodiscard]] descriptor accept_from(descriptor const& listener);
[[nodiscard]] descriptor connect_to(std::string const& from, std::string const& to, std::uint16_t port);
void set_nonblocking(descriptor const& stream);
/// As many of them as the system lets this process have.
void allow_many_descriptors();

/// All of it. On a non-blocking stream they ask again and again.
void send_all(int stream, std::span<std::byte const> bytes);
void receive_all(int stream, std::span<std::byte> bytes);
/// As much as there is, at least one byte. 0: the stream has ended.
[[nodiscard]] std::size_t receive_some(int stream, std::span<std::byte> bytes);

}  // namespace rdsco::bench
