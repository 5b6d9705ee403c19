// SPDX-License-Identifier: BSD-2-Clause
// rdsco_registration_stall: what peers feel while a node registers a large region. One node exchanges small datagrams with another one, which
// runs in a thread of its own, before and during the registration; each round trip is timed. Exit status 77: there is no adapter at these
// addresses.
#include <rdsco/rdsco.hpp>
#include <rdsco/verbs/ib.hpp>
#include <rdsco/verbs/iwarp.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <stop_token>
#include <string>
#include <sys/mman.h>
#include <thread>
#include <vector>

namespace {

using clock_type = std::chrono::steady_clock;
using microseconds = std::chrono::duration<double, std::micro>;
using rdsco::task;

struct plan {
  std::string one = "10.1.0.1", other = "10.1.0.2", transport = "ib";
  std::size_t mebibytes = 1024;
  std::size_t undisturbed = 500;  // round trips
  bool thread = false, touched = false;
};

rdsco::node open(rdsco::loop& where, rdsco::address const& at, plan const& to_do) {
  rdsco::node_options options;
  options.verbs.registration_thread = to_do.thread;
  if (to_do.transport == "iwarp") {
    options.own<rdsco::iwarp>(at);
  } else {
    options.own<rdsco::ib>(at);
  }
  options.allow(rdsco::subnet::parse("10.0.0.0/8").value()).allow(rdsco::subnet::parse("fd00::/8").value());
  return rdsco::node::open(where, options).value();
}

task<> echo(rdsco::socket& at) {
  for (;;) {
    auto const got = co_await at.receive();
    if (got.ec) co_return;
    static_cast<void>(co_await at.send_to(got.data.payload(), got.data.from()));
  }
}

void serve(std::stop_token const& stopping, plan const& to_do) {
  rdsco::loop where;
  rdsco::address const own = rdsco::address::parse(to_do.other).value();
  rdsco::node node = open(where, own, to_do);
  rdsco::socket at = node.bind(own, 5000).value();
  block_on(where, echo(at), stopping);
}

struct trips {
  std::vector<double> took;  // microseconds
  task<> one(rdsco::socket& from, rdsco::endpoint to) {
    auto const begun = clock_type::now();
    (co_await from.send_to("how long?", to)).value();
    static_cast<void>((co_await from.receive()).value());
    took.push_back(microseconds(clock_type::now() - begun).count());
  }
  void print(char const* when) {
    std::ranges::sort(took);
    auto const at = [&](double share) { return took[static_cast<std::size_t>(share * static_cast<double>(took.size() - 1))]; };
    fmt::print("{:<22} {:>7} round trips: median {:>10.1f} us, 99 % {:>10.1f} us, longest {:>10.1f} us\n", when, took.size(), at(0.5), at(0.99), took.back());
  }
};

struct registering {
  bool over = false;
  double took = 0;  // milliseconds
  rdsco::region made;
  task<> run(rdsco::socket& by, rdsco::mutable_buffer memory) {
    auto const begun = clock_type::now();
    auto got = co_await by.register_memory(memory);
    took = microseconds(clock_type::now() - begun).count() / 1000;
    over = true;
    made = std::move(got).value();
  }
};

task<> measure(rdsco::loop& where, rdsco::socket& from, rdsco::endpoint to, rdsco::mutable_buffer memory, plan const& to_do) {
  trips before, during;
  for (std::size_t i = 0; i < to_do.undisturbed / 10 + 1; ++i) co_await before.one(from, to);
  before.took.clear();
  for (std::size_t i = 0; i < to_do.undisturbed; ++i) co_await before.one(from, to);
  registering large;
  rdsco::task_group group(where);
  group.spawn(large.run(from, memory));
  while (!large.over) co_await during.one(from, to);
  co_await group.join();
  before.print("before");
  during.print("during");
  fmt::print("{} MiB, {}, registered in {:.1f} ms {}\n", to_do.mebibytes, to_do.touched ? "touched before" : "never touched", large.took,
             to_do.thread ? "by a thread" : "by the loop");
  (co_await large.made.close()).value();
}

void run(plan const& to_do) {
  std::size_t const bytes = to_do.mebibytes << 20;
  void* const at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) throw std::bad_alloc();
  rdsco::mutable_buffer const memory(static_cast<std::byte*>(at), bytes);
  if (to_do.touched) std::ranges::fill(memory, std::byte{1});
  rdsco::loop where;
  rdsco::address const own = rdsco::address::parse(to_do.one).value();
  rdsco::node node = open(where, own, to_do);
  std::jthread const other([&](std::stop_token const& stopping) { serve(stopping, to_do); });
  rdsco::socket from = node.bind(own, 4000).value();
  block_on(where, measure(where, from, rdsco::endpoint(rdsco::address::parse(to_do.other).value(), 5000), memory, to_do));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App command("What peers feel while a node registers a large region");
  plan to_do;
  command.add_option("--one", to_do.one);
  command.add_option("--other", to_do.other);
  command.add_option("--transport", to_do.transport)->check(CLI::IsMember({"ib", "iwarp"}));
  command.add_option("--mebibytes", to_do.mebibytes, "of the region");
  command.add_option("--undisturbed", to_do.undisturbed, "round trips before")->check(CLI::PositiveNumber);
  command.add_flag("--thread", to_do.thread, "verbs_options::registration_thread");
  command.add_flag("--touched", to_do.touched, "the region's pages are there already");
  CLI11_PARSE(command, argc, argv);
  try {
    run(to_do);
    return 0;
  } catch (std::system_error const& error) {
    fmt::print(stderr, "{}\n", error.what());
    return error.code() == rdsco::errc::no_device ? 77 : 1;
  }
}
