// SPDX-License-Identifier: BSD-2-Clause
// rdsco_one_node: sockets of one node exchange datagrams and work on each other's memory, between two addresses of one adapter, both ways, and
// from an address to itself. Every byte is compared; who carried it is said. Exit status 1: something was wrong, 77: there is no adapter at these
// addresses.
#include "kernel/remote_round.hpp"
#include "tools/transport_choice.hpp"

#include <rdsco/rdsco.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace rdsco::kernel_lab;
using rdsco::task;

constexpr std::array<std::size_t, 7> datagram_sizes{0, 1, 4096, 4097, 65'536, 100, 1u << 20};
constexpr std::array<std::size_t, 3> memory_sizes{1, 4097, 3u << 20};
constexpr auto patience = 60s;

struct plan {
  std::string one = "10.1.0.1", other = "10.1.0.2", transport = "ib";
};

void demand(bool holds, std::string_view what) {
  if (!holds) throw std::runtime_error(std::string(what));
}

rdsco::node open(rdsco::loop& where, plan const& to_do) {
  rdsco::node_options options;
  for (std::string const& each : {to_do.one, to_do.other}) rdsco::tools::own(options, rdsco::address::parse(each).value(), to_do.transport);
  return rdsco::node::open(where, options).value();
}

task<rdsco::message> next(rdsco::socket& of) {
  auto got = co_await rdsco::with_timeout(patience, of.receive());
  co_return std::move(got).value();
}

task<> datagrams(rdsco::socket& from, rdsco::socket& into) {
  std::uint64_t index = 0;
  std::vector<std::byte> joined;
  for (std::size_t const size : datagram_sizes) {
    std::vector<std::byte> payload(size);
    fill_datagram(payload, {1, ++index});
    auto const sent = co_await rdsco::with_timeout(patience, from.send_to(payload, into.local(), rdsco::until::acknowledged));
    sent.value();
    auto const got = co_await next(into);
    auto const bytes = got.contiguous(joined);
    demand(got.from() == from.local() && std::equal(bytes.begin(), bytes.end(), payload.begin(), payload.end()), "a datagram is not what was sent");
  }
  demand(into.try_receive().ec == rdsco::errc::would_block, "a datagram came that nobody sent");
}

/// What `user` does with it, and how that ends.
task<std::error_code> operate(remote_action what, rdsco::socket& user, rdsco::region& own, round_memory& memory, std::size_t bytes,
                              rdsco::remote_memory theirs, std::uint64_t round) {
  auto const part = own.slice(memory.start(), bytes);
  auto const before = round_memory::number_of(true, round);
  switch (what) {
    case remote_action::write: {
      auto const wrote = co_await rdsco::with_timeout(patience, user.rdma_write(part, theirs, 0, "done"));
      co_return wrote.ec;
    }
    case remote_action::read: {
      auto const read = co_await rdsco::with_timeout(patience, user.rdma_read(part, theirs, 0, "done"));
      demand(read.ec || memory.holds(true, round), "a read brought other bytes");
      co_return read.ec;
    }
    case remote_action::add: {
      auto const added = co_await rdsco::with_timeout(patience, user.fetch_add(theirs, 0, round_memory::added, "done"));
      demand(added.ec || added.data == before, "an addition found another number");
      co_return added.ec;
    }
    case remote_action::swap: {
      auto const wanted = round_memory::number_of(false, round);
      auto const swapped = co_await rdsco::with_timeout(patience, user.compare_swap(theirs, 0, before, wanted, "done"));
      demand(swapped.ec || swapped.data == before, "a comparison found another number");
      co_return swapped.ec;
    }
  }
  co_return rdsco::errc::not_supported;
}

/// True: it was carried out. Otherwise the transport has no such operation, or whoever carries traffic within the node has not.
task<bool> lend_and_use(remote_action what, std::size_t bytes, rdsco::socket& owner, rdsco::socket& user, std::uint64_t round) {
  bool const atomic = remote_step{what}.atomic();
  round_memory lent(bytes), used(bytes);
  lent.fill(true, round);
  used.fill(false, round);
  auto shelf = (co_await rdsco::with_timeout(patience, owner.register_memory(lent.all()))).value();
  auto desk = (co_await rdsco::with_timeout(patience, user.register_memory(used.all()))).value();
  rdsco::offer_terms terms(atomic ? rdsco::access::atomic : rdsco::access::read_write);
  auto made = co_await rdsco::with_timeout(patience, shelf.offer(user.local().host, lent.start(), bytes, terms));
  if (atomic && made.ec == rdsco::errc::not_supported) co_return false;
  auto offer = std::move(made).value();
  auto const sent = co_await rdsco::with_timeout(patience, owner.send_to("yours", user.local(), offer));
  sent.value();
  auto const told = co_await next(user);
  demand(told.to_string() == "yours" && told.offered().has_value(), "an offer did not arrive");
  auto const outcome = co_await operate(what, user, desk, used, bytes, *told.offered(), round);
  if (outcome && !(atomic && outcome == rdsco::errc::not_supported)) throw std::system_error(outcome, std::string(action_names[static_cast<std::size_t>(what)]));
  if (!outcome) {
    auto const then = co_await next(owner);
    demand(then.to_string() == "done" && then.from() == user.local(), "the datagram behind an operation is another one");
  }
  demand(outcome ? lent.holds(true, round) : as_left_by(what, lent, round), "wrong bytes in lent memory");
  demand(lent.surroundings_untouched() && used.surroundings_untouched(), "bytes beside were written");
  (co_await rdsco::with_timeout(patience, desk.close())).value();
  (co_await rdsco::with_timeout(patience, shelf.close())).value();
  co_return !outcome;
}

task<bool> operations(rdsco::socket& owner, rdsco::socket& user) {
  std::uint64_t round = 0;
  for (std::size_t const bytes : memory_sizes)
    for (auto const what : {remote_action::write, remote_action::read}) static_cast<void>(co_await lend_and_use(what, bytes, owner, user, ++round));
  bool const adds = co_await lend_and_use(remote_action::add, atomic_bytes, owner, user, ++round);
  bool const swaps = co_await lend_and_use(remote_action::swap, atomic_bytes, owner, user, ++round);
  demand(adds == swaps, "one atomic operation, and not the other");
  co_return adds;
}

std::string carrier_of(rdsco::node const& node, rdsco::address const& from, rdsco::address const& to) {
  for (auto const& row : node.tables().connections)
    if (row.local == from && row.peer == to) return row.transport;
  return "nobody that the tables know";
}

task<> between(rdsco::node& node, rdsco::socket& one, rdsco::socket& other) {
  co_await datagrams(one, other);
  bool const atomics = co_await operations(one, other);
  fmt::print("{} to {}: {}, carried by {}\n", one.local().to_string(), other.local().to_string(), atomics ? "with atomics" : "without atomics",
             carrier_of(node, one.local().host, other.local().host));
}

task<> run(rdsco::node& node, plan const& to_do) {
  auto const here = rdsco::address::parse(to_do.one).value(), there = rdsco::address::parse(to_do.other).value();
  rdsco::socket one = node.bind(here, 4000).value(), beside = node.bind(here, 4001).value(), other = node.bind(there, 5000).value();
  co_await between(node, one, other);
  co_await between(node, other, one);
  co_await between(node, one, beside);
  co_await between(node, one, one);
  (co_await rdsco::with_timeout(patience, node.ping(here, there))).value();
  (co_await rdsco::with_timeout(patience, node.ping(here, here))).value();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App command("Sockets of one node on the addresses of one adapter");
  plan to_do;
  command.add_option("--one", to_do.one);
  command.add_option("--other", to_do.other);
  command.add_option("--transport", to_do.transport)->check(CLI::IsMember({"ib", "iwarp"}));
  CLI11_PARSE(command, argc, argv);
  rdsco::loop where;
  try {
    rdsco::node node = open(where, to_do);
    block_on(where, run(node, to_do));
    static_cast<void>(block_on(where, node.close()));
    return 0;
  } catch (std::system_error const& error) {
    fmt::print(stderr, "{}\n", error.what());
    return error.code() == rdsco::errc::no_device ? 77 : 1;
  } catch (std::runtime_error const& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
