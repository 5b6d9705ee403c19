// SPDX-License-Identifier: BSD-2-Clause
// rdsco_afrds: drives the kernel's AF_RDS sockets, as the peer of rdsco in the kernel lab. Talks JSON lines on stdout.
// Exit status: 0 all done and in order, 1 not so, 2 wrong usage, 3 a system call failed, 77 the kernel has no RDS.
#include "kernel/afrds/info.hpp"
#include "kernel/afrds/remote.hpp"
#include "kernel/afrds/replies.hpp"
#include "kernel/afrds/traffic.hpp"

#include <CLI/CLI.hpp>
#include <iostream>

using namespace rdsco::kernel_lab;

namespace {

struct arguments {
  traffic_options traffic;
  round_options rounds;
  double timeout_seconds = 240;
  std::int64_t linger_ms = 200;
};

void add_local(CLI::App& command, arguments& into) {
  auto& options = into.traffic;
  command.add_option("--local", options.local_host, "own address")->required();
  command.add_option("--port", options.local_port, "own RDS port (default: the kernel chooses)");
  command.add_option("--timeout", into.timeout_seconds, "seconds until it gives up (ping: for each answer)")->capture_default_str();
  command.add_option("--send-buffer", options.send_buffer, "bytes")->capture_default_str();
  command.add_option("--receive-buffer", options.receive_buffer, "bytes; more unread means congestion")->capture_default_str();
}

void add_flow(CLI::App& command, arguments& into) {
  auto& options = into.traffic;
  command.add_option("--sizes", options.sizes.sizes, "sizes of the datagrams, repeated, e.g. 0,1,4096")->delimiter(',')
      ->check(CLI::Range(0, 1 << 20));
  command.add_option("--first", options.first_index, "index of the first datagram")->capture_default_str();
  command.add_option("--progress", options.progress_every, "say so after every N datagrams");
  command.add_option("--go-port", options.go_port, "UDP port of the own address; any datagram there means go");
}

void add_sending(CLI::App& command, arguments& into) {
  auto& options = into.traffic;
  command.add_option("--peer", options.peer_host, "address of the peer")->required();
  command.add_option("--peer-port", options.peer_port, "RDS port of the peer")->required();
  command.add_option("--count", options.send_count, "datagrams to send")->required();
  command.add_option("--flow", options.flow, "number of the flow")->capture_default_str();
  command.add_flag("--wait", options.wait_to_send, "send only after SIGUSR1 or a datagram to the go port");
  command.add_flag("--leave", options.leaving, "end once all is sent: what the peer has not acknowledged is taken back");
  command.add_flag("--blocking", options.blocking, "blocking sendmsg, instead of poll and congestion notifications");
}

void add_receiving(CLI::App& command, arguments& into) {
  auto& options = into.traffic;
  command.add_option("--expect", options.receive_count, "datagrams to receive from each source (default: until SIGTERM)");
  command.add_option("--sources", options.sources, "how many sockets send here")->capture_default_str();
  command.add_option("--linger-ms", into.linger_ms, "how long to look for repeated datagrams at the end")->capture_default_str();
}

void add_lending(CLI::App& command, arguments& into) {
  auto& options = into.rounds;
  command.add_option("--peer", into.traffic.peer_host, "address of the peer")->required();
  command.add_option("--peer-port", into.traffic.peer_port, "RDS port of the peer")->required();
  command.add_option("--steps", options.steps, "write, read; withdrawn- or refused- before them: that are to fail")->delimiter(',');
  command.add_option("--sizes", options.sizes, "bytes of memory, repeated")->delimiter(',')->check(CLI::Range(1, 1 << 20));
  command.add_option("--count", options.count, "how often each step is taken with each size")->capture_default_str();
  command.add_flag("--use-once", options.use_once, "the datagram that follows an operation ends its offer");
  command.add_flag("--ahead", options.ahead, "offer all memory before the first of it is used; SIGUSR1: whoever borrowed is gone, and another one there");
}

int run(arguments& given) {
  auto& options = given.traffic;
  options.timeout = std::chrono::milliseconds(static_cast<std::int64_t>(given.timeout_seconds * 1000));
  options.linger = std::chrono::milliseconds(given.linger_ms);
  if (options.command == "info") {
    return run_info();
  }
  if (options.command == "ping") {
    return run_ping(options);
  }
  if (options.command == "echo") {
    return run_echo(options);
  }
  if (options.command == "lend") {
    return lender(options, given.rounds).run();
  }
  if (options.command == "borrow") {
    return borrower(options, given.rounds).run();
  }
  options.sending = options.command == "send" || options.command == "duplex";
  options.receiving = options.command != "send";
  options.wait_to_receive = options.command == "stall";
  return traffic(options).run();
}

}  // namespace

int main(int count, char** values) {
  arguments given;
  CLI::App app("Drives the kernel's AF_RDS sockets and accounts for every datagram.");
  app.require_subcommand(1);
  auto* send = app.add_subcommand("send", "send a flow, and wait until the peer's host has acknowledged all of it");
  auto* receive = app.add_subcommand("receive", "receive flows");
  auto* stall = app.add_subcommand("stall", "as receive, but read nothing before SIGUSR1 or a datagram to the go port");
  auto* duplex = app.add_subcommand("duplex", "send a flow and receive one, on the same socket");
  auto* echo = app.add_subcommand("echo", "return every datagram to its sender");
  auto* ping = app.add_subcommand("ping", "ping an RDS host");
  auto* lend = app.add_subcommand("lend", "offer memory to the peer, and say what it is to do with it");
  auto* borrow = app.add_subcommand("borrow", "do with offered memory what the datagrams say that come with it");
  app.add_subcommand("info", "report the kernel's counters, connections and queues");
  for (auto* command : {send, receive, stall, duplex, echo, ping, lend, borrow}) {
    add_local(*command, given);
  }
  for (auto* command : {send, receive, stall, duplex}) {
    add_flow(*command, given);
  }
  for (auto* command : {send, duplex}) {
    add_sending(*command, given);
  }
  for (auto* command : {receive, stall, duplex}) {
    add_receiving(*command, given);
  }
  echo->add_option("--expect", given.traffic.receive_count, "datagrams to return (default: until SIGTERM)");
  add_lending(*lend, given);
  borrow->add_option("--behind", given.rounds.behind, "datagrams sent behind each operation, at once");
  ping->add_option("--peer", given.traffic.peer_host, "address of the peer")->required();
  ping->add_option("--count", given.traffic.send_count, "how many")->required();

  try {
    app.parse(count, values);
    given.traffic.command = app.get_subcommands().front()->get_name();
    return run(given);
  } catch (CLI::ParseError const& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (std::invalid_argument const& error) {
    std::cerr << "rdsco_afrds: " << error.what() << '\n';
    return 2;
  } catch (socket_error const& error) {
    std::cerr << "rdsco_afrds: " << error.what() << (error.no_rds() ? " (is the module rds_tcp loaded?)" : "") << '\n';
    return error.no_rds() ? 77 : 3;
  }
}
