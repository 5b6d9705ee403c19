// SPDX-License-Identifier: BSD-2-Clause
// What lies in user memory for an idle connection of Asio: its socket, and the coroutine that waits for a message.
#include "growth.hpp"
#include "partner.hpp"
#include "raw_stream.hpp"

#include <asio.hpp>

#include <array>
#include <cstddef>
#include <vector>

namespace rdsco::bench {

namespace {

using asio::awaitable;
using asio::use_awaitable;
using asio::ip::tcp;

// As little as a coroutine with a connection can be: a header is all that it has room for.
awaitable<void> wait_for_message(tcp::socket stream) {
  std::array<std::byte, header_bytes> header;
  asio::error_code ended;
  co_await asio::async_read(stream, asio::buffer(header), asio::redirect_error(use_awaitable, ended));
}

figures accept_all(request const& asked, partner::announce const& ready) {
  allow_many_descriptors();
  descriptor const listener = listen_at(asked.server.address, asked.port);
  ready();
  std::vector<descriptor> streams;
  for (unsigned i = 0; i < asked.sockets; ++i) streams.push_back(accept_from(listener));
  // The client hangs up once it has measured.
  std::array<std::byte, 1> one;
  for (descriptor const& each : streams)
    while (receive_some(each.number(), one) != 0) {
    }
  return {};
}

void connect_one(asio::io_context& here, tcp::endpoint to) {
  tcp::socket stream(here);
  stream.connect(to);
  asio::co_spawn(here, wait_for_message(std::move(stream)), asio::detached);
  here.poll();
}

}  // namespace

figures asio_memory_of_connections(request const& asked) {
  partner server(asked, [&](auto const& ready) { return accept_all(asked, ready); });
  allow_many_descriptors();
  figures found;
  {
    asio::io_context here(1);
    tcp::endpoint const to(asio::ip::make_address(asked.server.address), asked.port);
    connect_one(here, to);
    growth taken;
    for (unsigned i = 1; i < asked.sockets; ++i) connect_one(here, to);
    found = taken.per(asked.sockets - 1);
  }
  static_cast<void>(server.join());
  return found;
}

}  // namespace rdsco::bench
