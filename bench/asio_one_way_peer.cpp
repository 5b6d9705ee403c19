// SPDX-License-Identifier: BSD-2-Clause
// Messages one way by Asio's awaitable: one write for each, or many copied into one write by hand.
#include "coalescer.hpp"
#include "partner.hpp"
#include "rate.hpp"
#include "walker.hpp"

#include <asio.hpp>

#include <vector>

namespace rdsco::bench {

namespace {

using asio::awaitable;
using asio::use_awaitable;
using asio::ip::tcp;

void rethrow(std::exception_ptr error) {
  if (error) std::rethrow_exception(error);
}

awaitable<void> receive(tcp::socket& stream, rate& measured, std::uint64_t total) {
  std::vector<std::byte> bytes(256 * 1024);
  walker messages;
  while (messages.messages < total) {
    std::size_t const count = co_await stream.async_read_some(asio::buffer(bytes), use_awaitable);
    messages.take({bytes.data(), count});
    measured.note(messages.messages);
  }
}

awaitable<void> send(tcp::socket& stream, request const& asked, std::size_t write_bytes) {
  std::vector<std::byte> const payload(asked.bytes);
  coalescer out(write_bytes);
  for (std::uint64_t i = 0; i < asked.warmup + asked.count; ++i) {
    if (out.add(payload)) continue;
    co_await asio::async_write(stream, asio::buffer(out.bytes().data(), out.bytes().size()), use_awaitable);
    out.clear();
    static_cast<void>(out.add(payload));
  }
  co_await asio::async_write(stream, asio::buffer(out.bytes().data(), out.bytes().size()), use_awaitable);
}

figures serve(request const& asked, partner::announce const& ready) {
  asio::io_context here(1);
  tcp::acceptor listener(here, tcp::endpoint(asio::ip::make_address(asked.server.address), asked.port));
  ready();
  tcp::socket stream = listener.accept();
  rate measured(asked);
  asio::co_spawn(here, receive(stream, measured, asked.warmup + asked.count), &rethrow);
  here.run();
  return measured.result();
}

figures one_way(request const& asked, std::size_t write_bytes) {
  partner receiver(asked, [&](auto const& ready) { return serve(asked, ready); });
  asio::io_context here(1);
  tcp::socket stream(here);
  stream.connect(tcp::endpoint(asio::ip::make_address(asked.server.address), asked.port));
  stream.set_option(tcp::no_delay(true));
  usage used;
  used.start();
  asio::co_spawn(here, send(stream, asked, write_bytes), &rethrow);
  here.run();
  figures sender;
  used.add_to(sender, "sender_", asked.warmup + asked.count);
  figures found = receiver.join();
  found.merge(sender);
  return found;
}

}  // namespace

figures asio_one_way(request const& asked) { return one_way(asked, header_bytes + asked.bytes); }

figures asio_coalesced_one_way(request const& asked) { return one_way(asked, coalescer::write_bytes); }

}  // namespace rdsco::bench
