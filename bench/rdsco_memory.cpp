// SPDX-License-Identifier: BSD-2-Clause
// What lies in memory for something that does nothing. Kernel memory of TCP sockets is not in it.
#include "growth.hpp"
#include "partner.hpp"
#include "raw_stream.hpp"
#include "rdsco_node.hpp"

#include <stdexcept>
#include <vector>

namespace rdsco::bench {

namespace {

std::string peer_address(std::string const& first, unsigned index) {
  // 127.0.0.2 is a host by itself; the others follow in 127.1/16 to 127.255/16.
  return index == 0 ? first : "127." + std::to_string(1 + index / 250) + ".0." + std::to_string(1 + index % 250);
}

figures serve_many(request const& asked, partner::announce const& ready) {
  allow_many_descriptors();
  loop here(options_for(waiting::block));
  node_options wanted;
  for (unsigned i = 0; i <= asked.sockets; ++i) wanted.own(address_of(peer_address(asked.server.address, i)));
  wanted.allow(*subnet::parse("127.0.0.0/8"));
  wanted.tcp.port = asked.port;
  wanted.limits.peers = asked.sockets + 16;
  node mine = node::open(here, wanted).value();
  socket control = bind_socket(mine, asked.server, first_port);
  ready();
  // The client says when it has measured.
  static_cast<void>(block_on(here, [](socket& at) -> task<> {
    auto const got = co_await at.receive();
    if (got.ec) throw std::system_error(got.ec);
  }(control)), 0);
  finish(here, mine);
  return {};
}

task<> connect_to_all(socket& from, request const& asked) {
  for (unsigned i = 1; i <= asked.sockets; ++i) co_await connect(from, endpoint(address_of(peer_address(asked.server.address, i)), first_port));
}

task<> say_done(socket& from, endpoint to) {
  std::byte const one{};
  const_buffer const bytes(&one, 1);
  auto const sent = co_await from.send_to(bytes, to, until::acknowledged);
  sent.value();
}

}  // namespace

figures memory_of_sockets(request const& asked) {
  loop here(options_for(waiting::block));
  node mine = open_node(here, asked.server, asked);
  std::vector<socket> sockets;
  sockets.reserve(asked.sockets + 1);
  sockets.push_back(bind_socket(mine, asked.server, 0));
  growth taken;
  for (unsigned i = 0; i < asked.sockets; ++i) sockets.push_back(bind_socket(mine, asked.server, 0));
  figures const found = taken.per(asked.sockets);
  for (socket& each : sockets) each.close();
  finish(here, mine);
  return found;
}

figures memory_of_connections(request const& asked) {
  partner server(asked, [&](auto const& ready) { return serve_many(asked, ready); });
  allow_many_descriptors();
  loop here(options_for(waiting::block));
  node mine = open_node(here, asked.client, asked, asked.sockets + 16);
  socket from = bind_socket(mine, asked.client, 0);
  block_on(here, connect(from, server_of(asked)));
  growth taken;
  block_on(here, connect_to_all(from, asked));
  figures const found = taken.per(asked.sockets);
  block_on(here, say_done(from, server_of(asked)));
  finish(here, mine);
  static_cast<void>(server.join());
  return found;
}

}  // namespace rdsco::bench
