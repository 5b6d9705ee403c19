// SPDX-License-Identifier: BSD-2-Clause
// rdsco_verbs_peer: two rdsco nodes on the addresses of one adapter, or one that has both, exchange datagrams of all sizes, in one process. Says
// "under way" when a tenth of them is acknowledged. Exit status 77: there is no adapter at these addresses.
#include "tools/transport_choice.hpp"

#include <rdsco/rdsco.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using rdsco::task;

constexpr std::array<std::size_t, 9> sizes{0, 1, 4095, 4096, 4097, 65'536, 100, 1u << 20, 10'000};
constexpr auto patience = 60s;

std::vector<std::byte> pattern(std::uint64_t index) {
  std::vector<std::byte> made(sizes[index % sizes.size()]);
  for (std::size_t at = 0; at < made.size(); ++at) made[at] = static_cast<std::byte>(index * 131 + at * 7 + (at >> 8));
  return made;
}

struct account {
  std::uint64_t sent = 0, received = 0, wrong = 0;
  std::string why;
};

task<> send_all(rdsco::socket& by, rdsco::endpoint to, std::uint64_t count, account& sums) {
  for (std::uint64_t index = 0; index < count; ++index) {
    auto const payload = pattern(index);
    auto const sent = co_await rdsco::with_timeout(patience, by.send_to(payload, to, rdsco::until::acknowledged));
    if (sent.ec) {
      sums.why = sent.ec.message();
      co_return;
    }
    if (++sums.sent != count / 10) continue;
    fmt::print("under way\n");
    std::fflush(stdout);
  }
}

task<> receive_all(rdsco::socket& by, std::uint64_t count, account& sums) {
  std::vector<std::byte> scratch;
  for (std::uint64_t index = 0; index < count; ++index) {
    auto const got = co_await rdsco::with_timeout(patience, by.receive());
    if (got.ec) {
      sums.why = got.ec.message();
      co_return;
    }
    auto const bytes = got.data.contiguous(scratch);
    auto const wanted = pattern(index);
    ++sums.received;
    if (bytes.size() != wanted.size() || !std::equal(bytes.begin(), bytes.end(), wanted.begin())) ++sums.wrong;
  }
}

struct plan {
  std::string one = "10.1.0.1", other = "10.1.0.2", transport = "ib";
  std::uint64_t count = 90;
  bool one_node = false;
};

rdsco::node open(rdsco::loop& where, std::vector<rdsco::address> const& addresses, std::string const& transport) {
  rdsco::node_options options;
  for (auto const& at : addresses) rdsco::tools::own(options, at, transport);
  options.allow(rdsco::subnet::parse("10.0.0.0/8").value()).allow(rdsco::subnet::parse("fd00::/8").value());
  return rdsco::node::open(where, options).value();
}

task<int> run(rdsco::loop& where, plan const& to_do) {
  rdsco::address const one = rdsco::address::parse(to_do.one).value(), other = rdsco::address::parse(to_do.other).value();
  std::uint64_t const count = to_do.count;
  rdsco::node near = open(where, to_do.one_node ? std::vector{one, other} : std::vector{one}, to_do.transport), far;
  if (!to_do.one_node) far = open(where, {other}, to_do.transport);
  rdsco::socket from = near.bind(one, 4000).value(), into = (to_do.one_node ? near : far).bind(other, 5000).value();
  account there, back;
  {
    rdsco::task_group group(where);
    group.spawn(send_all(from, into.local(), count, there));
    group.spawn(receive_all(into, count, there));
    group.spawn(send_all(into, from.local(), count, back));
    group.spawn(receive_all(from, count, back));
    co_await group.join();
  }
  auto const trip = co_await rdsco::with_timeout(patience, near.ping(one, other));
  auto const& counted = near.counters();
  fmt::print("there: {} acknowledged, {} arrived, {} wrong {}; back: {} acknowledged, {} arrived, {} wrong {}; ping {}; {} resets, {} retransmitted\n",
             there.sent, there.received, there.wrong, there.why, back.sent, back.received, back.wrong, back.why,
             trip.ec ? trip.ec.message() : "answered", counted.conn_reset, counted.rdsco_retransmitted);
  bool const fine = there.sent == count && there.received == count && back.sent == count && back.received == count &&
                    there.wrong + back.wrong == 0 && !trip.ec;
  co_await near.close();
  co_await far.close();
  co_return fine ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App command("Two rdsco nodes on the addresses of one adapter");
  plan to_do;
  command.add_option("--one", to_do.one);
  command.add_option("--other", to_do.other);
  command.add_option("--transport", to_do.transport)->check(CLI::IsMember({"ib", "iwarp"}));
  command.add_option("--count", to_do.count, "datagrams each way");
  command.add_flag("--one-node", to_do.one_node, "both addresses are one node's");
  CLI11_PARSE(command, argc, argv);
  rdsco::loop where;
  try {
    return block_on(where, run(where, to_do));
  } catch (std::system_error const& error) {
    fmt::print(stderr, "{}\n", error.what());
    return error.code() == rdsco::errc::no_device ? 77 : 1;
  }
}
