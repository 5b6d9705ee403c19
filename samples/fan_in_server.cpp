// SPDX-License-Identifier: BSD-2-Clause
// Many peers report to one socket, and a few workers share it. Here the peers are a hundred coroutines of the same process,
// on ten nodes with addresses of their own, so that the sample runs by itself:
//
//   fan_in_server [TCP-PORT]
#include <rdsco/block_on.hpp>
#include <rdsco/node.hpp>
#include <rdsco/task_group.hpp>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <string>

constexpr std::uint16_t collector_port = 4000;
constexpr int nodes = 10, peers_of_a_node = 10, reports_of_a_peer = 100, workers = 4;

using sums = std::map<rdsco::endpoint, long>;

/// Several workers may receive from one socket: each datagram goes to one of them.
rdsco::task<> collect(rdsco::socket& at, sums& into, int& missing, rdsco::task_group& all) {
  while (missing > 0) {
    auto [ec, report] = co_await at.receive();
    if (ec) co_return;
    std::vector<std::byte> scratch;
    auto const text = rdsco::as_text(report.contiguous(scratch));
    long value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    into[report.from()] += value;
    if (--missing == 0) all.stop();  // the other workers wait for reports that nobody will send
  }
}

/// Sends without asking whether the collector keeps up: where it does not, send_to() waits.
rdsco::task<> report(rdsco::node& on, rdsco::address own, rdsco::endpoint collector) {
  rdsco::socket from = on.bind(own).value();
  for (int value = 1; value <= reports_of_a_peer; ++value) {
    std::string const text = std::to_string(value);
    (co_await from.send_to(text, collector)).value();
  }
  (co_await from.drain(std::chrono::seconds(10))).value();  // closing a socket takes back what is not acknowledged
}

rdsco::node open_node(rdsco::loop& where, rdsco::address const& own, std::uint16_t tcp_port) {
  rdsco::node_options options;
  options.own(own).allow(rdsco::subnet::parse("127.0.0.0/8").value());
  options.tcp.port = tcp_port;
  return rdsco::node::open(where, options).value();
}

rdsco::task<int> run(rdsco::loop& where, std::uint16_t tcp_port) {
  auto const host = [](int number) { return rdsco::address::v4(127, 0, 0, static_cast<std::uint8_t>(10 + number)); };
  rdsco::node server = open_node(where, host(0), tcp_port);
  rdsco::socket at = server.bind(host(0), collector_port).value();
  std::vector<rdsco::node> clients;
  for (int i = 1; i <= nodes; ++i) clients.push_back(open_node(where, host(i), tcp_port));

  sums totals;
  int missing = nodes * peers_of_a_node * reports_of_a_peer;
  rdsco::task_group collecting(where), reporting(where);
  for (int i = 0; i < workers; ++i) collecting.spawn(collect(at, totals, missing, collecting));
  for (int i = 0; i < nodes * peers_of_a_node; ++i)
    reporting.spawn(report(clients[static_cast<std::size_t>(i % nodes)], host(1 + i % nodes), at.local()));
  co_await reporting.join();
  co_await collecting.join();

  bool complete = totals.size() == nodes * peers_of_a_node;
  for (auto const& [peer, total] : totals) complete = complete && total == reports_of_a_peer * (reports_of_a_peer + 1) / 2;
  std::printf("%zu peers, %s\n", totals.size(), complete ? "every report counted once" : "reports are missing");
  for (auto& each : clients) co_await each.close();
  co_await server.close();
  co_return complete ? 0 : 1;
}

int main(int argc, char** argv) try {
  rdsco::loop where;
  return block_on(where, run(where, static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 16385)));
} catch (std::exception const& problem) {
  std::fprintf(stderr, "fan_in_server: %s\n", problem.what());
  return 1;
}
