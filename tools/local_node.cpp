// SPDX-License-Identifier: BSD-2-Clause
#include "tools/local_node.hpp"

#include "loop/socket_address.hpp"
#include "tools/failure.hpp"
#include "tools/transport_choice.hpp"

#include <fmt/core.h>

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace rdsco::tools {

address source_towards(address const& peer) {
  // Connecting a UDP socket sends nothing; it only asks the routing table. Which port does not matter.
  detail::socket_address const to(endpoint(peer, 1));
  int const descriptor = ::socket(to.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0);
  detail::socket_address own;
  own.length = sizeof own.storage;
  bool const found = descriptor >= 0 && ::connect(descriptor, to.data(), to.length) == 0 &&
                     ::getsockname(descriptor, own.data(), &own.length) == 0;
  int const why = errno;
  if (descriptor >= 0) ::close(descriptor);
  if (!found) throw failure(fmt::format("no way from here to {}: {}. Name a source address with -I", peer.to_string(), std::strerror(why)));
  return own.to_endpoint().host;
}

namespace {

std::string why_not_open(std::error_code why, address const& own, std::uint16_t port) {
  auto const host = own.to_string();
  if (why == errc::address_in_use)
    return fmt::format("TCP port {} of {} is taken, by another rdsco process or by the kernel's rds_tcp module (`ss -ltnp` shows whom): "
                       "use another address of this host, or another --port at both ends", port, host);
  if (why == errc::address_not_owned) return fmt::format("{} is not an address of this host (`ip address` shows those)", host);
  return fmt::format("cannot open a node at {}: {}", host, why.message());
}

std::string why_not_open(std::error_code why, address const& own, std::string const& transport) {
  if (why == errc::address_in_use)
    return fmt::format("RDS over {} at {} is taken: unload the kernel's rds_rdma module, or end the other rdsco process", transport,
                       own.to_string());
  return fmt::format("cannot open a node at {} over {}: {}", own.to_string(), transport, why.message());
}

}  // namespace

node open_node(loop& where, address const& at, node_options options, std::string const& transport) {
  own(options, at, transport);
  auto opened = node::open(where, options);
  if (opened.ec) throw failure(transport == tcp::name ? why_not_open(opened.ec, at, options.tcp.port) : why_not_open(opened.ec, at, transport));
  return std::move(opened.data);
}

socket bind_socket(node& on, endpoint const& at, socket_options const& options) {
  auto bound = on.bind(at, options);
  if (bound.ec) throw failure(fmt::format("cannot bind {}: {}", at.to_string(), bound.ec.message()));
  return std::move(bound.data);
}

stats_server serve_stats(loop& where, node const& on, std::string const& path) {
  if (path.empty()) return {};
  auto opened = stats_server::open(where, on, path);
  if (opened.ec) throw failure(fmt::format("cannot serve statistics at {}: {}", path, opened.ec.message()));
  return std::move(opened.data);
}

}  // namespace rdsco::tools
