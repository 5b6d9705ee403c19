// SPDX-License-Identifier: BSD-2-Clause
// One measurement, once. Its figures are one line of JSON; scripts/bench runs them side by side and compares.
#include "measurement.hpp"
#include "pin.hpp"
#include "tools/transport_choice.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <iterator>
#include <string>

namespace {

using namespace rdsco::bench;

struct entry {
  char const* name;
  char const* what;
  measure run;
};

constexpr entry entries[] = {
    {"loopback.in_turns", "rdsco: two coroutines, datagrams within one node, one at a time", &loopback_in_turns},
    {"loopback.stream", "rdsco: one coroutine sends, another receives, within one node", &loopback_stream},
    {"channel.in_turns", "two bare coroutines, a rendezvous, one message at a time", &channel_in_turns},
    {"channel.stream", "two bare coroutines, a rendezvous, one way", &channel_stream},
    {"asio_channel.in_turns", "Asio's experimental channel, one message at a time", &asio_channel_in_turns},
    {"asio_channel.stream", "Asio's experimental channel with 64 slots, one way", &asio_channel_stream},
    {"round_trip.rdsco", "over --transport, one request at a time, on --sockets sockets in turn", &rdsco_round_trip},
    {"round_trip.raw", "over TCP with send and recv", &raw_round_trip},
    {"round_trip.epoll", "the same with epoll", &epoll_round_trip},
    {"round_trip.uring", "the same with io_uring for both ways", &uring_round_trip},
    {"round_trip.asio", "the same with Asio's awaitable", &asio_round_trip},
    {"one_way.rdsco", "over --transport, one sender, one receiver", &rdsco_one_way},
    {"one_way.raw", "messages with 48-byte headers in writes of 64 KiB", &raw_one_way},
    {"one_way.epoll", "the same writes, waiting in epoll", &epoll_one_way},
    {"one_way.uring", "the same writes into a multishot receive", &uring_one_way},
    {"one_way.asio", "Asio's awaitable, one write a message", &asio_one_way},
    {"one_way.asio_coalesced", "the same, in writes of 64 KiB", &asio_coalesced_one_way},
    {"round_trip.kernel_rds", "the kernel's AF_RDS sockets, one request at a time", &kernel_rds_round_trip},
    {"one_way.kernel_rds", "the kernel's AF_RDS sockets", &kernel_rds_one_way},
    {"bulk.rdsco", "over --transport, --outstanding senders, each until acknowledged", &rdsco_bulk},
    {"bulk.raw", "a TCP stream, sends and receives of --bytes", &raw_bulk},
    {"writes.rdsco", "over --transport, --outstanding RDMA writes, each with an empty datagram behind it", &rdsco_writes},
    {"registration.rdsco", "over --transport, round trips before and while a region is registered", &rdsco_registration},
    {"pipelined.rdsco", "over --transport, --outstanding requests on one socket", &rdsco_pipelined},
    {"pipelined.raw", "the same on one stream, all that is ready in one call", &raw_pipelined},
    {"fan.rdsco", "over --transport, one request under way on each of --sockets sockets", &rdsco_fan},
    {"fan.epoll", "the same on --sockets connections, with epoll", &epoll_fan},
    {"memory.sockets", "bytes of memory of an idle socket", &memory_of_sockets},
    {"memory.connections", "bytes of memory of an idle connection", &memory_of_connections},
    {"memory.asio_connections", "the same of Asio's, with a coroutine that waits for a message", &asio_memory_of_connections},
};

std::map<std::string, waiting> const waits{{"spin", waiting::spin}, {"block", waiting::block}, {"adaptive", waiting::adaptive}};

std::string names() {
  std::string text = "measurements:\n";
  for (entry const& each : entries) text += fmt::format("  {:<24}{}\n", each.name, each.what);
  return text;
}

// Side by side measurements must not meet each other's sockets in TIME_WAIT.
std::uint16_t some_port() { return static_cast<std::uint16_t>(20000 + ::getpid() % 10000); }

void print(figures const& found) {
  std::string text;
  for (auto const& [name, value] : found) text += fmt::format("{}\"{}\": {:.6g}", text.empty() ? "" : ", ", name, value);
  fmt::print("{{{}}}\n", text);
}

int measure_once(std::string const& name, request const& asked) {
  auto const* const found = std::find_if(std::begin(entries), std::end(entries), [&](entry const& each) { return name == each.name; });
  if (found == std::end(entries)) {
    fmt::print(stderr, "rdsco_bench: no measurement {}\n{}", name, names());
    return 2;
  }
  pin(asked.client.core);
  print(found->run(asked));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("One measurement of rdsco or of a peer, once: a line of JSON.");
  request asked;
  std::string name;
  bool one_core = false;
  long silence_us = 0;
  app.footer(names());
  app.add_option("measurement", name, "which")->required();
  app.add_option("--count", asked.count, "messages or round trips that are timed")->check(CLI::PositiveNumber);
  app.add_option("--warmup", asked.warmup, "how many before them are not")->check(CLI::PositiveNumber);
  app.add_option("--bytes", asked.bytes, "payload of a message")->check(CLI::Range(1, 1 << 20));
  app.add_option("--outstanding", asked.outstanding, "requests or senders under way at once")->check(CLI::Range(1, 65536));
  app.add_option("--sockets", asked.sockets, "sockets or connections of each side")->check(CLI::Range(1, 50000));
  app.add_option("--wait", asked.wait, "how to look for bytes")->transform(CLI::CheckedTransformer(waits));
  app.add_option("--silence-us", silence_us, "how long the client computes between two round trips");
  app.add_option("--client-core", asked.client.core, "processor of the client");
  app.add_option("--server-core", asked.server.core, "processor of the server");
  app.add_option("--client-address", asked.client.address);
  app.add_option("--server-address", asked.server.address);
  app.add_option("--client-network", asked.client.network, "network namespace of the client");
  app.add_option("--server-network", asked.server.network, "network namespace of the server");
  app.add_option("--region-bytes", asked.region_bytes, "size of a region that is registered")->check(CLI::PositiveNumber);
  app.add_flag("--touched", asked.touched, "the pages of that region are there before");
  app.add_flag("--registration-thread", asked.registration_thread, "a thread of its own registers it");
  app.add_flag("--one-core", one_core, "both processes on the client's processor");
  app.add_flag("!--untimed", asked.timed, "without looking at the clock: for counting instructions");
  asked.port = some_port();
  app.add_option("--port", asked.port, "of rdsco's nodes and of other servers");
  app.add_option("--transport", asked.transport, "of rdsco's nodes")->check(CLI::IsMember(rdsco::tools::transport_names()));
  CLI11_PARSE(app, argc, argv);
  if (one_core) asked.server.core = asked.client.core;
  asked.silence = std::chrono::microseconds(silence_us);
  try {
    return measure_once(name, asked);
  } catch (std::exception const& error) {
    fmt::print(stderr, "rdsco_bench: {}: {}\n", name, error.what());
    return 1;
  }
}
