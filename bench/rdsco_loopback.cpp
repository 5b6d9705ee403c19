// SPDX-License-Identifier: BSD-2-Clause
// Datagrams between two sockets of one node.
#include "rdsco_node.hpp"
#include "stopwatch.hpp"
#include "usage.hpp"

#include <array>
#include <stdexcept>
#include <vector>

namespace rdsco::bench {

namespace {

task<> echo(socket& at, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    auto const got = co_await at.receive();
    if (got.ec) throw std::system_error(got.ec);
    auto const sent = co_await at.send_to(got.data.payload(), got.data.from());
    sent.value();
  }
}

task<> ask(socket& at, endpoint to, std::size_t bytes, std::uint64_t count) {
  std::vector<std::byte> const question(bytes);
  for (std::uint64_t i = 0; i < count; ++i) {
    auto const sent = co_await at.send_to(question, to);
    sent.value();
    auto const got = co_await at.receive();
    if (got.ec) throw std::system_error(got.ec);
  }
}

task<> send(socket& from, endpoint to, std::size_t bytes, std::uint64_t count) {
  std::vector<std::byte> const payload(bytes);
  for (std::uint64_t i = 0; i < count; ++i) {
    auto const sent = co_await from.send_to(payload, to);
    sent.value();
  }
}

task<> receive(socket& at, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    auto const got = co_await at.receive();
    if (got.ec) throw std::system_error(got.ec);
  }
}

task<> both(loop& where, task<> first, task<> second) {
  task_group group(where);
  group.spawn(std::move(first));
  group.spawn(std::move(second));
  co_await group.join();
}

template <class Run>
figures timed(request const& asked, std::size_t buffers, Run run) {
  loop here(options_for(waiting::block));
  node only = open_node(here, asked.server, asked);
  socket near = bind_socket(only, asked.server, 0, buffers), far = bind_socket(only, asked.server, first_port, buffers);
  block_on(here, run(here, near, far, asked.warmup));
  usage used;
  used.start();
  stopwatch timer;
  block_on(here, run(here, near, far, asked.count));
  figures found{{"ns", timer.ns() / static_cast<double>(asked.count)}};
  used.add_to(found, "", asked.count);
  near.close();
  far.close();
  finish(here, only);
  return found;
}

}  // namespace

figures loopback_in_turns(request const& asked) {
  return timed(asked, 2u << 20, [&](loop& here, socket& near, socket& far, std::uint64_t messages) {
    return both(here, echo(far, messages / 2), ask(near, far.local(), asked.bytes, messages / 2));
  });
}

figures loopback_stream(request const& asked) {
  // As many messages under way as the peers' channel has slots: more of them are a test of the cache.
  return timed(asked, 64 * asked.bytes, [&](loop& here, socket& near, socket& far, std::uint64_t messages) {
    return both(here, receive(far, messages), send(near, far.local(), asked.bytes, messages));
  });
}

}  // namespace rdsco::bench
