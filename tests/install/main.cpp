// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: an installed rdsco lacks a header, a symbol or a flag that its consumers need.
// Forced by: a program that sees nothing but the installed (or added) rdsco and is linked and run: two nodes over TCP, and
// coroutines, which live in the headers and are compiled by the consumer's own flags.
#include <rdsco/rdsco.hpp>

#include <cstdint>
#include <cstdio>
#include <string_view>

#include <unistd.h>

namespace {

rdsco::address const here = rdsco::address::v4(127, 0, 0, 1), there = rdsco::address::v4(127, 0, 0, 2);

rdsco::node open(rdsco::loop& loop, rdsco::address const& own, rdsco::address const& peer) {
  rdsco::node_options options;
  rdsco::subnet only;
  only.base = peer;
  options.own(own).allow(only);
  options.tcp.port = static_cast<std::uint16_t>(10'000 + ::getpid() % 20'000);  // consumers that are tested at the same time
  return rdsco::node::open(loop, options).value();
}

rdsco::task<> echo(rdsco::socket& at) {
  for (;;) {
    auto const got = co_await at.receive();
    if (got.ec) co_return;
    (co_await at.send_to(got.data.payload(), got.data.from())).value();
  }
}

rdsco::task<bool> talk(rdsco::loop& loop) {
  auto server_node = open(loop, there, here);
  auto client_node = open(loop, here, there);
  auto server = server_node.bind(there, 4000).value();
  auto client = client_node.bind(here).value();
  rdsco::task_group group(loop);
  group.spawn(echo(server));
  (co_await client.send_to("hello", server.local())).value();
  auto const answer = co_await rdsco::with_timeout(std::chrono::seconds(30), client.receive());
  bool const good = !answer.ec && answer.data.to_string() == "hello";
  co_await client_node.close();
  co_await server_node.close();
  co_await group.join();
  co_return good;
}

}  // namespace

int main() {
  rdsco::result<int> const failed = rdsco::errc::congested;
  bool const named = !failed && failed.ec.category() == rdsco::category() && rdsco::category().name() == std::string_view("rdsco");
  std::printf("%s: %s\n", rdsco::category().name(), failed.ec.message().c_str());
  rdsco::loop loop;
  bool const answered = block_on(loop, talk(loop));
  std::printf("%s\n", answered ? "answered" : "no answer");
  return named && answered ? 0 : 1;
}
