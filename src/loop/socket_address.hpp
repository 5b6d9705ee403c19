// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/endpoint.hpp>

#include <sys/socket.h>

namespace rdsco::detail {

/// An endpoint in the kernel's form.
struct socket_address {
  sockaddr_storage storage{};
  socklen_t length = 0;

  socket_address() noexcept = default;
  explicit socket_address(endpoint const& from) noexcept;

  [[nodiscard]] endpoint to_endpoint() const noexcept;
  [[nodiscard]] int family() const noexcept { return storage.ss_family; }
  [[nodiscard]] sockaddr* data() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
  [[nodiscard]] sockaddr const* data() const noexcept { return reinterpret_cast<sockaddr const*>(&storage); }
};

}  // namespace rdsco::detail
