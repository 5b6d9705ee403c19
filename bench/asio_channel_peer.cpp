// SPDX-License-Identifier: BSD-2-Clause
// Asio's channel between two of its coroutines, on one thread's io_context.
#include "stopwatch.hpp"

#include <asio.hpp>
#include <asio/experimental/channel.hpp>

#include <array>
#include <cstddef>

namespace rdsco::bench {

namespace {

using asio::awaitable;
using asio::use_awaitable;
using message = std::array<std::byte, 64>;
using channel = asio::experimental::channel<void(asio::error_code, message)>;

constexpr std::size_t slots = 64;

awaitable<void> echo(channel& in, channel& out, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    message const got = co_await in.async_receive(use_awaitable);
    co_await out.async_send(asio::error_code(), got, use_awaitable);
  }
}

awaitable<void> ask(channel& out, channel& in, std::uint64_t count) {
  message question{};
  for (std::uint64_t i = 0; i < count; ++i) {
    co_await out.async_send(asio::error_code(), question, use_awaitable);
    question = co_await in.async_receive(use_awaitable);
  }
}

awaitable<void> send(channel& out, std::uint64_t count) {
  message const one{};
  for (std::uint64_t i = 0; i < count; ++i) co_await out.async_send(asio::error_code(), one, use_awaitable);
}

awaitable<void> receive(channel& in, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) static_cast<void>(co_await in.async_receive(use_awaitable));
}

void rethrow(std::exception_ptr error) {
  if (error) std::rethrow_exception(error);
}

void in_turns(std::uint64_t messages) {
  asio::io_context here(1);
  channel there(here, 1), back(here, 1);
  asio::co_spawn(here, echo(there, back, messages / 2), &rethrow);
  asio::co_spawn(here, ask(there, back, messages / 2), &rethrow);
  here.run();
}

void stream(std::uint64_t messages) {
  asio::io_context here(1);
  channel there(here, slots);
  asio::co_spawn(here, receive(there, messages), &rethrow);
  asio::co_spawn(here, send(there, messages), &rethrow);
  here.run();
}

figures timed(request const& asked, void (*run)(std::uint64_t)) {
  run(asked.warmup);
  stopwatch timer;
  run(asked.count);
  return {{"ns", timer.ns() / static_cast<double>(asked.count)}};
}

}  // namespace

figures asio_channel_in_turns(request const& asked) { return timed(asked, &in_turns); }
figures asio_channel_stream(request const& asked) { return timed(asked, &stream); }

}  // namespace rdsco::bench
