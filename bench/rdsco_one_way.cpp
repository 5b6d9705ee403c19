// SPDX-License-Identifier: BSD-2-Clause
// Datagrams one way between two nodes. The receiver holds the watch, and both count what they use.
#include "partner.hpp"
#include "rdsco_node.hpp"
#include "stopwatch.hpp"
#include "usage.hpp"

#include <stdexcept>
#include <thread>
#include <vector>

namespace rdsco::bench {

using namespace std::chrono_literals;

namespace {

// Every queue of both sides is once as deep as it can get, or their pools would grow while something is measured: first
// the whole receiver stands still, so that its sender fills up, then only the reader.
task<> let_queues_fill() {
  std::this_thread::sleep_for(100ms);
  auto const slept = co_await sleep(50ms);
  slept.value();
}

task<> receive(socket& at, request const& asked, figures& found) {
  usage used;
  stopwatch timer;
  for (std::uint64_t i = 0; i < asked.warmup + asked.count; ++i) {
    if (i == asked.warmup) {
      used.start();
      timer.start();
    }
    auto const got = co_await at.receive();
    if (got.ec) throw std::system_error(got.ec);
    if (i == 0) co_await let_queues_fill();
  }
  double const per_second = static_cast<double>(asked.count) * 1e9 / timer.ns();
  used.add_to(found, "receiver_", asked.count);
  found["per_second"] = per_second;
}

figures serve(request const& asked, std::size_t buffers, partner::announce const& ready) {
  loop here(options_for(asked.wait));
  node mine = open_node(here, asked.server, asked);
  socket at = bind_socket(mine, asked.server, first_port, buffers);
  figures found;
  ready();
  block_on(here, receive(at, asked, found));
  finish(here, mine);
  return found;
}

task<> send(socket& from, endpoint to, std::vector<std::byte> const& payload, until what, std::uint64_t& left) {
  while (left != 0) {
    --left;
    auto const sent = co_await from.send_to(payload, to, what);
    sent.value();
  }
}

task<> send_in_parallel(loop& where, socket& from, endpoint to, std::vector<std::byte> const& payload, until what, unsigned senders,
                        std::uint64_t count) {
  task_group group(where);
  for (unsigned i = 0; i < senders; ++i) group.spawn(send(from, to, payload, what, count));
  co_await group.join();
  auto const drained = co_await from.drain(30s);
  if (drained.ec || drained.data != 0) throw std::runtime_error("the receiver did not acknowledge everything");
}

figures one_way(request const& asked, until what, std::size_t buffers) {
  partner receiver(asked, [&](auto const& ready) { return serve(asked, buffers, ready); });
  loop here(options_for(asked.wait));
  node mine = open_node(here, asked.client, asked);
  socket from = bind_socket(mine, asked.client, 0, buffers);
  std::vector<std::byte> const payload(asked.bytes, std::byte{1});
  endpoint const to = server_of(asked);
  block_on(here, send_in_parallel(here, from, to, payload, what, asked.outstanding, asked.warmup));
  usage used;
  used.start();
  block_on(here, send_in_parallel(here, from, to, payload, what, asked.outstanding, asked.count));
  figures sender;
  used.add_to(sender, "sender_", asked.count);
  finish(here, mine);
  figures found = receiver.join();
  found.merge(sender);
  found["bytes_per_second"] = found["per_second"] * static_cast<double>(asked.bytes);
  return found;
}

}  // namespace

figures rdsco_one_way(request const& asked) { return one_way(asked, until::accepted, 2u << 20); }

figures rdsco_bulk(request const& asked) { return one_way(asked, until::acknowledged, 2 * asked.bytes * asked.outstanding); }

}  // namespace rdsco::bench
