// SPDX-License-Identifier: BSD-2-Clause
// Two server processes and a client process, each an RDS node with an address of its own, exchange datagrams of mixed sizes
// and check every byte; then coroutines of one process do the same. Exit status 1 where anything was lost, repeated,
// reordered or corrupted.
#include "processes.hpp"
#include "table.hpp"
#include "traffic.hpp"

#include <rdsco/block_on.hpp>
#include <rdsco/task_group.hpp>
#include <rdsco/with_timeout.hpp>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include <unistd.h>

namespace demo {

using namespace std::chrono_literals;

namespace {

std::string const client_host = "127.0.0.1";
std::vector<std::string> const server_hosts{"127.0.0.2", "127.0.0.3"};

rdsco::address host(std::string const& text) { return rdsco::address::parse(text).value(); }

rdsco::node_options options_at(std::string const& own, std::uint16_t tcp_port) {
  rdsco::node_options made;
  made.own(host(own)).allow(rdsco::subnet::parse("127.0.0.0/8").value());
  made.tcp.port = tcp_port;
  return made;
}

rdsco::node open_node(rdsco::loop& where, std::string const& own, std::uint16_t tcp_port) {
  auto opened = rdsco::node::open(where, options_at(own, tcp_port));
  if (opened.ec) throw std::runtime_error(fmt::format("cannot open a node at {}, TCP port {}: {}; try another --port", own, tcp_port, opened.ec.message()));
  return std::move(opened.data);
}

/// A TCP port that is free at all the addresses; runs of the demo that start together begin to look at different places.
std::uint16_t free_port(rdsco::loop& where) {
  constexpr int first = 10'000, count = 20'000;
  for (int tries = 0; tries < 100; ++tries) {
    auto const port = static_cast<std::uint16_t>(first + (::getpid() * 7 + tries) % count);
    auto options = options_at(client_host, port);
    for (auto const& each : server_hosts) options.own(host(each));
    auto const opened = rdsco::node::open(where, options);
    if (!opened.ec) return port;
  }
  throw std::runtime_error("found no free TCP port at 127.0.0.1, 127.0.0.2 and 127.0.0.3; name one with --port");
}

std::vector<rdsco::socket> open_echo_sockets(rdsco::node& on, rdsco::address const& at) {
  std::vector<rdsco::socket> made;
  for (unsigned i = 0; i < server_sockets; ++i) made.push_back(on.bind(at, static_cast<std::uint16_t>(first_server_port + i)).value());
  return made;
}

rdsco::task<> serve(rdsco::loop& where, std::string own, std::uint16_t tcp_port) {
  rdsco::node on = open_node(where, own, tcp_port);
  auto sockets = open_echo_sockets(on, host(own));
  auto told = on.bind(host(own), stop_port).value();
  rdsco::task_group work(where);
  for (auto& each : sockets) work.spawn(echo(each));
  fmt::print("ready\n");
  std::fflush(stdout);
  auto const stop = co_await told.receive();
  work.stop();
  co_await work.join();
  co_await on.close(1s);
}

rdsco::task<totals> over_tcp(rdsco::loop& where, std::uint16_t tcp_port, plan times) {
  rdsco::node on = open_node(where, client_host, tcp_port);
  std::vector<rdsco::address> servers;
  for (auto const& each : server_hosts) servers.push_back(host(each));
  totals sums = co_await exchange(on, host(client_host), servers, times, "Three processes over TCP");
  auto last = on.bind(host(client_host)).value();
  for (auto const& each : servers) {
    rdsco::endpoint const server(each, stop_port);
    auto const told = co_await rdsco::with_timeout(5s, last.send_to("stop", server, rdsco::until::acknowledged));
    if (told.ec) fmt::print(stderr, "rdsco_demo: the server {} is not there any more\n", each.to_string());
  }
  co_await on.close(1s);
  co_return sums;
}

rdsco::task<totals> inside_one_process(rdsco::loop& where, std::uint16_t tcp_port, plan times) {
  rdsco::node on = open_node(where, client_host, tcp_port);
  auto sockets = open_echo_sockets(on, host(client_host));
  rdsco::task_group work(where);
  for (auto& each : sockets) work.spawn(echo(each));
  std::vector<rdsco::address> const servers{host(client_host)};
  totals sums = co_await exchange(on, host(client_host), servers, times, "One process, loopback");
  work.stop();
  co_await work.join();
  co_await on.close(1s);
  co_return sums;
}

std::chrono::milliseconds milliseconds(double seconds) { return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000)); }

bool run(char const* program, std::uint16_t tcp_port, double seconds, double patience) {
  rdsco::loop where;
  if (tcp_port == 0) tcp_port = free_port(where);
  plan const half{milliseconds(seconds / 2), milliseconds(patience)};
  std::vector<child_process> servers;
  for (auto const& each : server_hosts)
    servers.emplace_back(std::vector<std::string>{program, "--port", std::to_string(tcp_port), "--serve", each});
  for (auto& each : servers) each.wait_until_ready();
  totals tcp = block_on(where, over_tcp(where, tcp_port, half));
  if (tcp.clean()) {
    for (auto& each : servers) each.wait_for_end();
  }
  servers.clear();
  totals loopback = block_on(where, inside_one_process(where, tcp_port, half));
  print_head();
  print_row("3 processes, over TCP", tcp);
  print_row("1 process, over loopback", loopback);
  bool const clean = tcp.clean() && loopback.clean();
  fmt::print("{}\n", clean ? "Every datagram came back once, whole and in order." : "FAILED: not every datagram came back once, whole and in order.");
  return clean;
}

}  // namespace

}  // namespace demo

int main(int argc, char** argv) {
  CLI::App app("Reliable datagrams between processes, and between coroutines: every byte checked");
  double seconds = 20, patience = 10;
  std::uint16_t tcp_port = 0;
  std::string serve;
  app.add_option("--seconds", seconds, "How long to run")->check(CLI::Range(0.1, 86400.0))->capture_default_str();
  app.add_option("--patience", patience, "Seconds after which an echo counts as lost")->check(CLI::Range(0.1, 86400.0))->capture_default_str();
  app.add_option("--port", tcp_port, "TCP port of RDS (0: one that is free)")->check(CLI::Range(0, 65535))->capture_default_str();
  app.add_option("--serve", serve, "")->group("");  // what the demo starts its servers with
  try {
    app.parse(argc, argv);
    if (serve.empty()) return demo::run(argv[0], tcp_port, seconds, patience) ? 0 : 1;
    rdsco::loop where;
    block_on(where, demo::serve(where, serve, tcp_port));
    return 0;
  } catch (CLI::ParseError const& problem) {
    return app.exit(problem) == 0 ? 0 : 2;
  } catch (std::exception const& problem) {
    fmt::print(stderr, "rdsco_demo: {}\n", problem.what());
    return 1;
  }
}
