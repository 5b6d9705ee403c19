// SPDX-License-Identifier: BSD-2-Clause
#include "traffic.hpp"

#include <rdsco/sleep.hpp>
#include <rdsco/task_group.hpp>
#include <rdsco/this_task.hpp>
#include <rdsco/when_all.hpp>
#include <rdsco/with_timeout.hpp>

#include <fmt/core.h>

#include <algorithm>

#include <unistd.h>

namespace demo {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

namespace {

constexpr std::size_t burst = 8;             // datagrams of a flow in one round
constexpr auto quiet_time = 200ms;           // at the end: what comes now comes twice
constexpr auto progress_interval = 200ms;
static_assert(burst <= account::window);

/// One socket and its flows, one to each server.
struct client {
  rdsco::socket own;
  std::vector<rdsco::endpoint> peers;
  std::vector<account> flows;
};

/// False: a server takes nothing any more.
rdsco::task<bool> send_round(client& from, std::chrono::milliseconds patience) {
  for (std::size_t i = 0; i < burst; ++i) {
    for (std::size_t flow = 0; flow < from.flows.size(); ++flow) {
      auto const parts = from.flows[flow].next();
      auto const sent = co_await rdsco::with_timeout(patience, from.own.send_to(parts, from.peers[flow]));
      if (sent.ec) co_return false;
    }
  }
  co_return true;
}

/// False: the echoes stopped coming.
rdsco::task<bool> take_echoes(client& into, std::size_t count, std::chrono::milliseconds patience, totals& sums) {
  for (std::size_t i = 0; i < count; ++i) {
    auto [ec, echo] = co_await rdsco::with_timeout(patience, into.own.receive());
    if (ec) co_return false;
    bool known = false;
    for (auto& flow : into.flows) known = known || flow.take(echo, sums);
    if (!known) ++sums.corrupted;
  }
  co_return true;
}

rdsco::task<> run_client(client& one, clock::time_point start, plan times, totals& sums) {
  // Sending and receiving beside each other: with full buffers on both sides, one after the other would wait for ever.
  for (bool going = true; going && clock::now() < start + times.length;) {
    auto const count = burst * one.flows.size();
    auto const [sent, complete] = co_await rdsco::when_all(send_round(one, times.patience), take_echoes(one, count, times.patience, sums));
    going = sent && complete;
  }
  sums.seconds = std::max(sums.seconds, std::chrono::duration<double>(clock::now() - start).count());
  bool more = true;
  while (more) more = co_await take_echoes(one, 1, quiet_time, sums);
  for (auto const& flow : one.flows) flow.close(sums);
}

rdsco::task<> show_progress(totals const& sums, clock::time_point until, char const* title) {
  if (::isatty(STDOUT_FILENO) != 1) co_return;
  for (;;) {
    auto const slept = co_await rdsco::sleep(progress_interval);
    auto const left = std::chrono::duration<double>(until - clock::now()).count();
    if (slept.ec) break;
    fmt::print("\r{}: {} messages, {:.1f} MiB, {:.0f} s to go   ", title, sums.messages, static_cast<double>(sums.bytes) / (1 << 20), std::max(left, 0.0));
    std::fflush(stdout);
  }
  fmt::print("\r{:78}\r", "");
}

client open_client(rdsco::node& on, rdsco::address const& own, std::vector<rdsco::address> const& servers, unsigned number) {
  client made;
  made.own = on.bind(own).value();
  for (auto const& each : servers) {
    made.peers.emplace_back(each, static_cast<std::uint16_t>(first_server_port + number % server_sockets));
    made.flows.emplace_back(number * servers.size() + made.flows.size());
  }
  return made;
}

}  // namespace

rdsco::task<> echo(rdsco::socket& at) {
  for (;;) {
    auto [ec, message] = co_await at.receive();
    if (ec) co_return;
    auto const sent = co_await at.send_to(message.payload(), message.from());
    if (sent.ec) co_return;
  }
}

rdsco::task<totals> exchange(rdsco::node& on, rdsco::address own, std::vector<rdsco::address> servers, plan times,
                             char const* title) {
  rdsco::loop& where = co_await rdsco::this_task::loop();
  auto const start = clock::now();
  totals sums;
  std::vector<client> clients;
  for (unsigned i = 0; i < client_sockets; ++i) clients.push_back(open_client(on, own, servers, i));
  rdsco::task_group work(where), progress(where);
  progress.spawn(show_progress(sums, start + times.length, title));
  for (auto& each : clients) work.spawn(run_client(each, start, times, sums));
  co_await work.join();
  progress.stop();
  co_await progress.join();
  co_return sums;
}

}  // namespace demo
