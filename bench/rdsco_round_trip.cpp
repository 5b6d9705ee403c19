// SPDX-License-Identifier: BSD-2-Clause
// Requests and answers between two nodes, in two processes.
#include "partner.hpp"
#include "rdsco_node.hpp"
#include "stopwatch.hpp"
#include "usage.hpp"

#include <stdexcept>
#include <vector>

namespace rdsco::bench {

namespace {

/// Ends all server coroutines once `left` answers have been given.
struct remaining {
  std::uint64_t left;
  task_group& all;
};

task<> echo(socket& at, remaining& total) {
  for (;;) {
    auto const got = co_await at.receive();
    if (got.ec) co_return;
    auto const sent = co_await at.send_to(got.data.payload(), got.data.from());
    sent.value();
    if (--total.left == 0) total.all.stop();
  }
}

task<> echo_on_all(loop& where, std::vector<socket>& sockets, std::uint64_t count) {
  task_group group(where);
  remaining total{count, group};
  for (socket& each : sockets) group.spawn(echo(each, total));
  co_await group.join();
}

figures serve(request const& asked, std::uint64_t count, partner::announce const& ready) {
  loop here(options_for(asked.wait));
  node mine = open_node(here, asked.server, asked);
  std::vector<socket> sockets;
  for (unsigned i = 0; i < asked.sockets; ++i) sockets.push_back(bind_socket(mine, asked.server, static_cast<std::uint16_t>(first_port + i)));
  ready();
  block_on(here, echo_on_all(here, sockets, count));
  finish(here, mine);
  return {};
}

std::vector<socket> client_sockets(node& on, request const& asked) {
  std::vector<socket> made;
  for (unsigned i = 0; i < asked.sockets; ++i) made.push_back(bind_socket(on, asked.client, 0));
  return made;
}

task<> ask_in_turn(std::vector<socket>& sockets, request const& asked, laps& taken) {
  std::vector<std::byte> const question(asked.bytes);
  endpoint to = server_of(asked);
  for (std::uint64_t i = 0; i < asked.warmup + asked.count; ++i) {
    auto const index = i % sockets.size();
    to.port = static_cast<std::uint16_t>(first_port + index);
    taken.begin();
    auto const sent = co_await sockets[index].send_to(question, to);
    sent.value();
    auto const got = co_await sockets[index].receive();
    if (got.ec) throw std::system_error(got.ec);
    taken.end();
  }
}

// Keeps as many requests under way as asked for until `total` are answered.
task<> ask_many(socket& from, endpoint to, request const& asked, std::uint64_t total) {
  std::vector<std::byte> const question(asked.bytes);
  std::uint64_t sent = 0;
  for (; sent < std::min<std::uint64_t>(asked.outstanding, total); ++sent) {
    auto const done = co_await from.send_to(question, to);
    done.value();
  }
  for (std::uint64_t answered = 0; answered < total; ++answered) {
    auto const got = co_await from.receive();
    if (got.ec) throw std::system_error(got.ec);
    if (sent == total) continue;
    ++sent;
    auto const done = co_await from.send_to(question, to);
    done.value();
  }
}

// Asks on one socket until everybody together has asked enough.
task<> ask_while(socket& from, endpoint to, request const& asked, std::uint64_t& left) {
  std::vector<std::byte> const question(asked.bytes);
  while (left != 0) {
    --left;
    auto const done = co_await from.send_to(question, to);
    done.value();
    auto const got = co_await from.receive();
    if (got.ec) throw std::system_error(got.ec);
  }
}

task<> ask_on_all(loop& where, std::vector<socket>& sockets, request const& asked, std::uint64_t total) {
  task_group group(where);
  unsigned index = 0;
  for (socket& each : sockets) group.spawn(ask_while(each, server_of(asked, index++), asked, total));
  co_await group.join();
}

}  // namespace

figures rdsco_round_trip(request const& asked) {
  partner server(asked, [&](auto const& ready) { return serve(asked, asked.warmup + asked.count, ready); });
  loop here(options_for(asked.wait));
  node mine = open_node(here, asked.client, asked);
  std::vector<socket> sockets = client_sockets(mine, asked);
  laps taken(asked);
  block_on(here, connect(sockets.front(), server_of(asked)));
  usage used;
  used.start();
  block_on(here, ask_in_turn(sockets, asked, taken));
  figures found;
  used.add_to(found, "", asked.warmup + asked.count);
  found.merge(taken.result());
  finish(here, mine);
  static_cast<void>(server.join());
  return found;
}

figures rdsco_pipelined(request const& asked) {
  partner server(asked, [&](auto const& ready) { return serve(asked, asked.warmup + asked.count, ready); });
  loop here(options_for(asked.wait));
  node mine = open_node(here, asked.client, asked);
  socket from = bind_socket(mine, asked.client, 0);
  block_on(here, ask_many(from, server_of(asked), asked, asked.warmup));
  usage used;
  used.start();
  stopwatch timer;
  block_on(here, ask_many(from, server_of(asked), asked, asked.count));
  double const per_second = static_cast<double>(asked.count) * 1e9 / timer.ns();
  figures found;
  used.add_to(found, "", asked.count);
  found["per_second"] = per_second;
  finish(here, mine);
  static_cast<void>(server.join());
  return found;
}

figures rdsco_fan(request const& asked) {
  partner server(asked, [&](auto const& ready) { return serve(asked, asked.warmup + asked.count, ready); });
  loop here(options_for(asked.wait));
  node mine = open_node(here, asked.client, asked);
  std::vector<socket> sockets = client_sockets(mine, asked);
  block_on(here, ask_on_all(here, sockets, asked, asked.warmup));
  stopwatch timer;
  block_on(here, ask_on_all(here, sockets, asked, asked.count));
  figures const found{{"per_second", static_cast<double>(asked.count) * 1e9 / timer.ns()}};
  finish(here, mine);
  static_cast<void>(server.join());
  return found;
}

}  // namespace rdsco::bench
