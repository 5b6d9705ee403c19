// SPDX-License-Identifier: BSD-2-Clause
// An echo server: one socket, any number of clients. Ends on SIGINT or SIGTERM.
//
//   echo_server 127.0.0.2 [TCP-PORT]      then, elsewhere:  client_with_timeout 127.0.0.1 127.0.0.2 hello [TCP-PORT]
#include <rdsco/block_on.hpp>
#include <rdsco/node.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stop_token>
#include <string>
#include <thread>

constexpr std::uint16_t echo_port = 4000;

rdsco::task<> echo(rdsco::socket& at) {
  for (;;) {
    auto [ec, message] = co_await at.receive();  // lent: its bytes are not copied, and go back at the end of the scope
    if (ec) co_return;                           // canceled: the program is to end
    // Waits while that client is congested, and for nobody else's sake.
    auto const sent = co_await at.send_to(message.payload(), message.from());
    if (sent.ec) std::fprintf(stderr, "%s: %s\n", message.from().to_string().c_str(), sent.ec.message().c_str());
  }
}

rdsco::task<> serve(rdsco::loop& where, rdsco::node_options options) {
  rdsco::node node = rdsco::node::open(where, options).value();
  rdsco::socket at = node.bind(options.owned().front().at, echo_port).value();
  std::printf("listening at %s\n", at.local().to_string().c_str());
  co_await echo(at);
  // Answers that a client has not acknowledged yet get a second; closing leaves nothing behind.
  std::printf("%zu answers were not acknowledged\n", co_await node.close(std::chrono::seconds(1)));
}

/// Stops `what` when the program is asked to end.
void stop_on_signal(sigset_t const& signals, std::stop_source what) {
  int which = 0;
  sigwait(&signals, &which);
  what.request_stop();
}

int main(int argc, char** argv) try {
  auto const own = rdsco::address::parse(argc > 1 ? argv[1] : "");
  if (!own) {
    std::fprintf(stderr, "usage: echo_server ADDRESS [TCP-PORT]\n");
    return 2;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  rdsco::node_options options;
  options.own(*own).allow(rdsco::subnet::parse("127.0.0.0/8").value());  // who may connect; by default nobody
  if (argc > 2) options.tcp.port = static_cast<std::uint16_t>(std::atoi(argv[2]));

  std::stop_source stopping;
  std::jthread const listening(stop_on_signal, signals, stopping);
  rdsco::loop where;
  block_on(where, serve(where, options), stopping.get_token());
  return 0;
} catch (std::exception const& problem) {
  std::fprintf(stderr, "echo_server: %s\n", problem.what());
  std::_Exit(1);  // the thread that waits for a signal would be waited for
}
