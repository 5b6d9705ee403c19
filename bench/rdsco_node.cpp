// SPDX-License-Identifier: BSD-2-Clause
#include "rdsco_node.hpp"

#include "tools/transport_choice.hpp"

#include <algorithm>
#include <stdexcept>

namespace rdsco::bench {

using namespace std::chrono_literals;

address address_of(std::string const& text) {
  auto const parsed = address::parse(text);
  if (!parsed) throw std::runtime_error("no address: " + text);
  return *parsed;
}

loop_options options_for(waiting how) {
  loop_options made;
  if (how == waiting::block) made.spin_max = 0ns;
  if (how == waiting::spin) made.spin_max = 10s;
  return made;
}

node open_node(loop& where, place const& at, request const& asked, std::size_t peers) {
  node_options wanted;
  tools::own(wanted, address_of(at.address), asked.transport);
  wanted.allow(*subnet::parse("0.0.0.0/0"));
  wanted.tcp.port = wanted.verbs.port_v4 = asked.port;
  wanted.verbs.registration_thread = asked.registration_thread;
  wanted.limits.peers = std::max(wanted.limits.peers, peers);
  return node::open(where, wanted).value();
}

socket bind_socket(node& on, place const& at, std::uint16_t port, std::size_t buffers) {
  socket_options wanted;
  wanted.send_buffer = wanted.receive_buffer = buffers;
  return on.bind(address_of(at.address), port, wanted).value();
}

figures serve_at_one_socket(request const& asked, partner::announce const& ready, std::function<task<>(socket&)> const& serves) {
  loop here(options_for(asked.wait));
  node mine = open_node(here, asked.server, asked);
  socket at = bind_socket(mine, asked.server, first_port);
  ready();
  block_on(here, serves(at));
  finish(here, mine);
  return {};
}

void finish(loop& where, node& on) { static_cast<void>(block_on(where, on.close(10s))); }

task<> connect(socket& from, endpoint to) {
  // A port that nobody binds: its host drops the datagram and acknowledges it.
  std::byte const one{};
  const_buffer const bytes(&one, 1);
  auto const sent = co_await from.send_to(bytes, endpoint(to.host, 4), until::acknowledged);
  sent.value();
}

}  // namespace rdsco::bench
