// SPDX-License-Identifier: BSD-2-Clause
#include "tools/ping.hpp"

#include "tools/failure.hpp"
#include "tools/host_name.hpp"
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

/// Asks the RDS layer of one host again and again. As rds-ping it owns eight sockets, each with one ping under way at most,
/// so that a late answer is known for what it is.
class pinger {
 public:
  pinger(loop& where, node& on, address const& from, address const& to, ping_options const& options)
      : options_(options), node_(on), from_(from), to_(to, 0), group_(where), interrupt_(where) {
    for (auto& each : slots_) each.from = bind();
  }

  task<std::uint64_t> run() {
    group_.spawn(send_all());
    group_.spawn(give_up_late());
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

  [[nodiscard]] socket bind() const {
    socket_options settings;
    settings.type_of_service = static_cast<std::uint8_t>(options_.type_of_service);
    return bind_socket(node_, endpoint(from_, 0), settings);
  }

  task<> send_all() {
    while (!enough(sent_)) {
      auto const idle = std::find_if(slots_.begin(), slots_.end(), [](slot const& each) { return !each.waiting; });
      if (idle != slots_.end()) co_await send_from(*idle);
      if (enough(sent_)) co_return;
      auto const slept = co_await sleep(options_.wait);
      if (slept.ec) co_return;
    }
  }

  task<> send_from(slot& one) {
    auto const number = ++sent_;
    one.waiting = true;
    one.number = number;
    one.sent = clock::now();
    auto const sent = co_await one.from.send_to(const_buffers(), to_);
    if (!sent.ec || sent.ec == errc::canceled || !one.waiting || one.number != number) co_return;
    report(one, to_, sent.ec);
    conclude(one);
  }

  /// Without it eight lost pings would be the last ones.
  task<> give_up_late() {
    for (;;) {
      auto next = clock::now() + options_.patience;
      for (auto const& each : slots_)
        if (each.waiting) next = std::min(next, each.sent + options_.patience);
      auto const slept = co_await sleep(next - clock::now());
      if (slept.ec) co_return;
      for (auto& each : slots_)
        if (each.waiting && each.sent + options_.patience <= clock::now()) give_up(each);
    }
  }

  void give_up(slot& one) {
    report(one, to_, make_error_code(errc::timed_out));
    // A new port: what comes to the old one after all is not taken for the answer to a later ping.
    one.from = bind();
    group_.spawn(take_answers(one));
    conclude(one);
  }

  /// Until its socket is closed or replaced.
  task<> take_answers(slot& one) {
    for (;;) {
      auto const answer = co_await one.from.receive();
      if (answer.ec) co_return;
      take(one, answer.data.from());
    }
  }

  void take(slot& one, endpoint const& from) {
    report(one, from, std::error_code());
    if (from != to_ || !one.waiting) return;
    ++received_;
    conclude(one);
  }

  /// A row as rds-ping prints it.
  void report(slot const& one, endpoint const& from, std::error_code why) const {
    auto const trip = std::chrono::duration_cast<std::chrono::microseconds>(clock::now() - one.sent);
    bool const expected = from == to_;
    fmt::print(" {:3}: {} usec{}{}{}\n", one.number, trip.count(), expected ? "" : " (" + from.to_string() + ")",
               one.waiting || !expected ? "" : " DUP!", why ? " ERROR: " + why.message() : "");
  }

  void conclude(slot& one) {
    one.waiting = false;
    if (!enough(sent_)) return;
    if (std::none_of(slots_.begin(), slots_.end(), [](slot const& each) { return each.waiting; })) group_.stop();
  }

  task<> end_on_interrupt() {
    co_await interrupt_.wait();
    group_.stop();
  }

  [[nodiscard]] bool enough(std::uint64_t number) const noexcept { return options_.count != 0 && number >= options_.count; }

  ping_options const& options_;
  node& node_;
  address from_;
  endpoint to_;
  task_group group_;
  interrupt interrupt_;
  std::array<slot, 8> slots_;
  std::uint64_t sent_ = 0, received_ = 0;
};

/// From where, and to where.
struct ends {
  address source, peer;
};

address guessed_source(address const& peer) {
  auto const found = source_towards(peer);
  if (found == peer) throw failure(fmt::format("{} is an address of this host: name the address to ask from with -I", found.to_string()));
  return found;
}

ends find_ends(ping_options const& options) {
  if (!options.source) {
    auto const peer = address_of_host(options.peer);
    return {guessed_source(peer), peer};
  }
  auto const source = address_of_host(*options.source);
  auto const peer = address_of_host(options.peer, source.is_v4() ? address_family::v4 : address_family::v6);
  if (source.is_v4() != peer.is_v4()) throw failure("source and destination must both be IPv4, or both IPv6");
  return {source, peer};
}

}  // namespace

int run_ping(ping_options const& options) {
  auto const [source, peer] = find_ends(options);
  loop where;
  node_options settings;
  settings.tcp.port = options.tcp_port;
  subnet only;
  only.base = peer;
  settings.allow(only);
  node on = open_node(where, source, settings, options.transport);
  std::uint64_t answers = 0;
  {
    pinger asking(where, on, source, peer, options);
    answers = block_on(where, asking.run());
  }
  block_on(where, on.close());
  if (answers > 0) return exit_success;
  if (options.transport != tcp::name) {
    fmt::print(stderr, "rdsco ping: no answer from {} over {}. Is an RDS node there (the kernel: modprobe rds_rdma), and may {} talk to it?\n",
               peer.to_string(), options.transport, source.to_string());
    return exit_failure;
  }
  fmt::print(stderr, "rdsco ping: no answer from {}. Is an RDS node there (the kernel: modprobe rds_tcp), reachable at TCP port {}, and may "
             "{} talk to it?\n", peer.to_string(), options.tcp_port, source.to_string());
  return exit_failure;
}

}  // namespace rdsco::tools
