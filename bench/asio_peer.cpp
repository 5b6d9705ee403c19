// SPDX-License-Identifier: BSD-2-Clause
// Asio as its documentation shows it: awaitable coroutines on one io_context.
#include "partner.hpp"
#include "raw_stream.hpp"
#include "stopwatch.hpp"
#include "usage.hpp"

#include <asio.hpp>

#include <vector>

namespace rdsco::bench {

namespace {

using asio::awaitable;
using asio::use_awaitable;
using asio::ip::tcp;

void run(asio::io_context& on, waiting how) {
  if (how != waiting::spin) {
    on.run();
    return;
  }
  while (!on.stopped()) on.poll();
}

awaitable<void> answer(tcp::socket& stream, request const& asked) {
  std::vector<std::byte> message(header_bytes + asked.bytes);
  for (std::uint64_t i = 0; i < asked.warmup + asked.count; ++i) {
    co_await asio::async_read(stream, asio::buffer(message), use_awaitable);
    co_await asio::async_write(stream, asio::buffer(message), use_awaitable);
  }
}

awaitable<void> ask(tcp::socket& stream, request const& asked, laps& taken) {
  std::vector<std::byte> message(header_bytes + asked.bytes);
  for (std::uint64_t i = 0; i < asked.warmup + asked.count; ++i) {
    taken.begin();
    co_await asio::async_write(stream, asio::buffer(message), use_awaitable);
    co_await asio::async_read(stream, asio::buffer(message), use_awaitable);
    taken.end();
  }
}

void rethrow(std::exception_ptr error) {
  if (error) std::rethrow_exception(error);
}

figures serve(request const& asked, partner::announce const& ready) {
  asio::io_context here(1);
  tcp::acceptor listener(here, tcp::endpoint(asio::ip::make_address(asked.server.address), asked.port));
  ready();
  tcp::socket stream = listener.accept();
  stream.set_option(tcp::no_delay(true));
  asio::co_spawn(here, answer(stream, asked), &rethrow);
  run(here, asked.wait);
  return {};
}

}  // namespace

figures asio_round_trip(request const& asked) {
  partner server(asked, [&](auto const& ready) { return serve(asked, ready); });
  asio::io_context here(1);
  tcp::socket stream(here);
  stream.connect(tcp::endpoint(asio::ip::make_address(asked.server.address), asked.port));
  stream.set_option(tcp::no_delay(true));
  laps taken(asked);
  usage used;
  used.start();
  asio::co_spawn(here, ask(stream, asked, taken), &rethrow);
  run(here, asked.wait);
  figures found;
  used.add_to(found, "", asked.warmup + asked.count);
  found.merge(taken.result());
  static_cast<void>(server.join());
  return found;
}

}  // namespace rdsco::bench
