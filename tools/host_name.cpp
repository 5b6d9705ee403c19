// SPDX-License-Identifier: BSD-2-Clause
#include "tools/host_name.hpp"

#include "loop/socket_address.hpp"
#include "tools/failure.hpp"

#include <fmt/core.h>

#include <netdb.h>

#include <cstring>
#include <memory>

namespace rdsco::tools {

namespace {

using address_list = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

address_list ask_system(std::string const& host, int family) {
  addrinfo hints{};
  hints.ai_family = family;
  hints.ai_socktype = SOCK_STREAM;  // else each address comes once for each kind of socket
  addrinfo* found = nullptr;
  if (int const why = ::getaddrinfo(host.c_str(), nullptr, &hints, &found); why != 0)
    throw failure(fmt::format("no host '{}': {}", host, why == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(why)));
  return {found, &::freeaddrinfo};
}

address to_address(addrinfo const& found) {
  detail::socket_address made;
  std::memcpy(made.data(), found.ai_addr, found.ai_addrlen);
  made.length = found.ai_addrlen;
  return made.to_endpoint().host;
}

}  // namespace

address address_of_host(std::string const& host, address_family wanted) {
  if (auto const parsed = address::parse(host)) return *parsed;
  auto const list = ask_system(host, wanted == address_family::v4 ? AF_INET : wanted == address_family::v6 ? AF_INET6 : AF_UNSPEC);
  for (auto const* each = list.get(); each != nullptr; each = each->ai_next)
    if (each->ai_family == AF_INET) return to_address(*each);
  return to_address(*list);
}

}  // namespace rdsco::tools
