// SPDX-License-Identifier: BSD-2-Clause
#include "tools/ping.hpp"

#include "tools/arguments.hpp"
#include "tools/failure.hpp"
#include "tools/interrupt.hpp"
#include "tools/local_node.hpp"

#include <rdsco/block_on.hpp>
#include <rdsco/sleep.hpp>
#include <rdsco/task_group.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <array>

namespace rdsco::tools {

namespace {

using clock = std::chrono::steady_clock;

// For the answer to the last ping, however short the interval.
constexpr std::chrono::nanoseconds last_patience{std::chrono::seconds(1)};

/// Asks the RDS layer of one host again and again. As rds-ping it owns eight sockets, each with one ping under way at most,
/// so that a late answer is known for what it is.
class pinger {
 public:
  pinger(loop& where, node& on, address const& from, ping_options const& options)
      : options_(options), group_(where), interrupt_(where) {
    socket_options settings;
    settings.type_of_service = static_cast<std::uint8_t>(options.type_of_service);
    for (auto& each : slots_) each.from = bind_socket(on, endpoint(from, 0), settings);
  }

  task<std::uint64_t> run() {
    group_.spawn(send_all());
    group_.spawn(end_on_interrupt());
    for (auto& each : slots_) group_.spawn(take_answers(each));
    co_await group_.join();
    co_return received_;
  }

 private:
  struct slot {
    socket from;
    bool waiting = false;
    std::uint64_t number = 0;
    clock::time_point sent;
  };

  task<> send_all() {
    while (!enough(sent_)) {
      auto const idle = std::find_if(slots_.begin(), slots_.end(), [](slot const& each) { return !each.waiting; });
      if (idle != slots_.end()) co_await send_from(*idle);
      auto const slept = co_await sleep(enough(sent_) ? std::max(options_.wait, last_patience) : options_.wait);
      if (slept.ec) co_return;
    }
    group_.stop();
  }

  task<> send_from(slot& one) {
    one.waiting = true;
    one.number = ++sent_;
    one.sent = clock::now();
    auto const sent = co_await one.from.send_to(const_buffers(), endpoint(options_.peer, 0));
    if (!sent.ec || sent.ec == errc::canceled) co_return;
    one.waiting = false;
    fmt::print(" {:3}: ERROR: {}\n", one.number, sent.ec.message());
  }

  task<> take_answers(slot& one) {
    for (;;) {
      auto const answer = co_await one.from.receive();
      if (answer.ec) co_return;
      report(one, answer.data.from());
    }
  }

  void report(slot& one, endpoint const& from) {
    auto const trip = std::chrono::duration_cast<std::chrono::microseconds>(clock::now() - one.sent);
    bool const expected = from == endpoint(options_.peer, 0);
    fmt::print(" {:3}: {} usec{}{}\n", one.number, trip.count(), expected ? "" : " (" + from.to_string() + ")",
               one.waiting || !expected ? "" : " DUP!");
    if (!expected || !one.waiting) return;
    one.waiting = false;
    if (enough(++received_)) group_.stop();
  }

  task<> end_on_interrupt() {
    co_await interrupt_.wait();
    group_.stop();
  }

  [[nodiscard]] bool enough(std::uint64_t number) const noexcept { return options_.count != 0 && number >= options_.count; }

  ping_options const& options_;
  task_group group_;
  interrupt interrupt_;
  std::array<slot, 8> slots_;
  std::uint64_t sent_ = 0, received_ = 0;
};

address source_of(ping_options const& options) {
  if (options.source) return *options.source;
  auto const found = source_towards(options.peer);
  if (found == options.peer)
    throw failure(fmt::format("{} is an address of this host: name the address to ask from with -I", found.to_string()));
  return found;
}

}  // namespace

CLI::App* describe(CLI::App& app, ping_options& options) {
  auto* const command = app.add_subcommand("ping", "Measure the round trip to the RDS layer of a host: a kernel's, or an rdsco node's");
  command->add_option("-c,--count", options.count, "Stop after so many answers (0: never)")->capture_default_str();
  add_time(*command, "-i,--interval", options.wait, "Time between pings: 1.5 (seconds), 20ms, 300us; default 1 second");
  add_address(*command, "-I,--source", options.source, "Ask from this address of this host; else from where routing would");
  command->add_option("-Q,--tos", options.type_of_service, "Type of service")->check(CLI::Range(0, 255))->type_name("TOS")->capture_default_str();
  command->add_option("--port", options.tcp_port, "TCP port of RDS at both ends")->type_name("TCPPORT")->capture_default_str();
  add_address(*command, "dst", options.peer, "The host to ask")->required();
  command->footer("Prints ` number: time usec` for each answer. Exit status: 0 when at least one came, 1 when none came, 2 wrong arguments.");
  return command;
}

int run_ping(ping_options const& options) {
  auto const source = source_of(options);
  if (source.is_v4() != options.peer.is_v4()) throw failure("source and destination must both be IPv4, or both IPv6");
  loop where;
  node_options settings;
  settings.tcp.port = options.tcp_port;
  subnet only;
  only.base = options.peer;
  settings.allow(only);
  node on = open_node(where, source, settings);
  std::uint64_t answers = 0;
  {
    pinger asking(where, on, source, options);
    answers = block_on(where, asking.run());
  }
  block_on(where, on.close());
  if (answers > 0) return exit_success;
  fmt::print(stderr, "rdsco ping: no answer from {}. Is an RDS node there (the kernel: modprobe rds_tcp), reachable at TCP port {}, and may "
             "{} talk to it?\n", options.peer.to_string(), options.tcp_port, source.to_string());
  return exit_failure;
}

}  // namespace rdsco::tools
