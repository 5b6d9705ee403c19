// SPDX-License-Identifier: BSD-2-Clause
#include "loop/socket_address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>

namespace rdsco::detail {

socket_address::socket_address(endpoint const& from) noexcept {
  if (from.host.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(from.port);
    std::memcpy(&v4.sin_addr, from.host.bytes().data() + 12, 4);
    std::memcpy(&storage, &v4, sizeof v4);
    length = sizeof v4;
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(from.port);
    v6.sin6_scope_id = from.host.scope();
    std::memcpy(&v6.sin6_addr, from.host.bytes().data(), 16);
    std::memcpy(&storage, &v6, sizeof v6);
    length = sizeof v6;
  }
}

endpoint socket_address::to_endpoint() const noexcept {
  address::bytes_type bytes{};
  if (family() == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &storage, sizeof v4);
    bytes[10] = bytes[11] = std::byte{0xff};
    std::memcpy(bytes.data() + 12, &v4.sin_addr, 4);
    return {address(bytes, 0), ntohs(v4.sin_port)};
  }
  if (family() != AF_INET6) return {};
  sockaddr_in6 v6{};
  std::memcpy(&v6, &storage, sizeof v6);
  std::memcpy(bytes.data(), &v6.sin6_addr, 16);
  return {address(bytes, v6.sin6_scope_id), ntohs(v6.sin6_port)};
}

}  // namespace rdsco::detail
