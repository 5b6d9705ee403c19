// SPDX-License-Identifier: BSD-2-Clause
// Asks an echo server, and does not wait for ever: every operation takes a timeout.
//
//   client_with_timeout 127.0.0.1 127.0.0.2 hello [TCP-PORT]
#include <rdsco/block_on.hpp>
#include <rdsco/node.hpp>
#include <rdsco/with_timeout.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

using namespace std::chrono_literals;

constexpr std::uint16_t echo_port = 4000;
constexpr auto patience = 2s;

rdsco::task<rdsco::result<std::string>> ask(rdsco::socket& from, rdsco::endpoint server, std::string question) {
  // Completes when the server's RDS layer has the question: from then on it cannot be lost, only answered late.
  auto const sent = co_await from.send_to(question, server, rdsco::until::acknowledged);
  if (sent.ec) co_return sent.ec;
  auto [ec, answer] = co_await from.receive();
  if (ec) co_return ec;
  std::vector<std::byte> scratch;
  co_return std::string(rdsco::as_text(answer.contiguous(scratch)));
}

rdsco::task<int> run(rdsco::loop& where, rdsco::node_options options, rdsco::address server, std::string question) {
  rdsco::node node = rdsco::node::open(where, options).value();
  rdsco::socket own = node.bind(options.owned().front().at).value();
  // The timeout is for asking as a whole: it stops whatever ask() is waiting for, and ask() ends by itself. The error says
  // how far it came: withdrawn (nothing was sent), may_arrive (some of it was), timed_out (it arrived, no answer came).
  auto const answer = co_await rdsco::with_timeout(patience, ask(own, rdsco::endpoint(server, echo_port), question));
  std::printf("%s%s\n", answer.ec ? "no answer: " : "", answer.ec ? answer.ec.message().c_str() : answer.data.c_str());
  co_await node.close();
  co_return answer.ec ? 1 : 0;
}

int main(int argc, char** argv) try {
  auto const own = rdsco::address::parse(argc > 1 ? argv[1] : "");
  auto const server = rdsco::address::parse(argc > 2 ? argv[2] : "");
  if (!own || !server || argc < 4) {
    std::fprintf(stderr, "usage: client_with_timeout ADDRESS SERVER TEXT [TCP-PORT]\n");
    return 2;
  }
  rdsco::subnet only_the_server;
  only_the_server.base = *server;
  rdsco::node_options options;
  options.own(*own).allow(only_the_server);
  if (argc > 4) options.tcp.port = static_cast<std::uint16_t>(std::atoi(argv[4]));
  rdsco::loop where;
  return block_on(where, run(where, options, *server, argv[3]));
} catch (std::exception const& problem) {
  std::fprintf(stderr, "client_with_timeout: %s\n", problem.what());
  return 1;
}
