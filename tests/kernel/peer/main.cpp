// SPDX-License-Identifier: BSD-2-Clause
// rdsco_kernel_peer: one rdsco node with one socket, as the peer of the kernel's rds_tcp. Talks JSON lines on stdout like rdsco_afrds.
// Exit status: 0 all done and in order, 1 not so, 2 wrong usage, 3 the node or its socket could not be opened.
#include "kernel/peer/driver.hpp"
#include "kernel/peer/remote.hpp"
#include "kernel/peer/replies.hpp"
#include "kernel/peer/traffic.hpp"
#include "tools/transport_choice.hpp"

#include <rdsco/block_on.hpp>
#include <rdsco/loop.hpp>
#include <rdsco/with_timeout.hpp>

#include <CLI/CLI.hpp>
#include <iostream>
#include <nlohmann/json.hpp>

using namespace rdsco;
using namespace rdsco::kernel_lab;

namespace {

struct arguments {
  traffic_options traffic;
  round_options rounds;
  std::string local_host;
  std::string peer_host;
  std::vector<std::string> allowed{"0.0.0.0/0", "::/0"};
  std::uint16_t tcp_port = 16385;
  std::uint64_t sequence_mark = 0;
  verbs_options verbs;
  double timeout_seconds = 240;
  std::int64_t linger_ms = 200;
  std::string transport = "tcp";
  std::int64_t pong_patience_ms = 5000;
  driver::waits waits;
};

class unusable : public std::runtime_error {
 public:
  unusable(std::string const& what, std::error_code why) : std::runtime_error(what + ": " + why.message()) {}
};

void add_node(CLI::App& command, arguments& into) {
  auto& options = into.traffic;
  command.add_option("--local", into.local_host, "own address")->required();
  command.add_option("--port", options.local.port, "own RDS port (default: a free one)");
  command.add_option("--allow", into.allowed, "peers that may talk with the node, e.g. 10.0.0.0/8")->delimiter(',');
  command.add_option("--tcp-port", into.tcp_port, "TCP port of both sides")->capture_default_str();
  command.add_option("--sequence-mark", into.sequence_mark, "send numbers start above it");
  command.add_option("--transport", into.transport)->capture_default_str()->check(CLI::IsMember(tools::transport_names()));
  command.add_option("--receives", into.verbs.receives, "verbs: posted receives")->capture_default_str();
  command.add_option("--sends", into.verbs.sends, "verbs: fragments under way")->capture_default_str();
  command.add_option("--type-of-service", options.buffers.type_of_service, "of what is sent")->capture_default_str();
  command.add_option("--pong-patience-ms", into.pong_patience_ms, "after so long without a pong pings count as switched off")
      ->capture_default_str();
  command.add_option("--timeout", into.timeout_seconds, "seconds until it gives up (ping: for each answer)")->capture_default_str();
  command.add_option("--send-buffer", options.buffers.send_buffer, "bytes")->capture_default_str();
  command.add_option("--receive-buffer", options.buffers.receive_buffer, "bytes; more unread means congestion")->capture_default_str();
}

void add_flow(CLI::App& command, arguments& into) {
  auto& options = into.traffic;
  command.add_option("--sizes", options.sizes.sizes, "sizes of the datagrams, repeated, e.g. 0,1,4096")->delimiter(',')
      ->check(CLI::Range(0, 1 << 20));
  command.add_option("--first", options.first_index, "index of the first datagram to send")->capture_default_str();
  command.add_option("--progress", options.progress_every, "say so after every N datagrams");
  command.add_flag("--go-by-stdin", into.waits.on_stdin, "a line \"go\" on stdin means go too");
}

void add_sending(CLI::App& command, arguments& into) {
  auto& options = into.traffic;
  command.add_option("--peer", into.peer_host, "address of the peer")->required();
  command.add_option("--peer-port", options.peer.port, "RDS port of the peer")->required();
  command.add_option("--count", options.send_count, "datagrams to send")->required();
  command.add_option("--flow", options.flow, "number of the flow")->capture_default_str();
  command.add_option("--window", options.window, "send in bursts of so many, each awaited until acknowledged (default: until accepted)");
  command.add_flag("--wait", into.waits.to_send, "send only after SIGUSR1");
}

void add_receiving(CLI::App& command, arguments& into) {
  auto& options = into.traffic;
  command.add_option("--expect", options.receive_count, "datagrams to receive from each source (default: until SIGTERM)");
  command.add_option("--expect-from", options.first_expected, "index of the first datagram to receive (default 0)");
  command.add_option("--sources", options.sources, "how many sockets send here")->capture_default_str();
  command.add_option("--linger-ms", into.linger_ms, "how long to look for repeated datagrams at the end")->capture_default_str();
}

void add_lending(CLI::App& command, arguments& into) {
  auto& options = into.rounds;
  command.add_option("--peer", into.peer_host, "address of the peer")->required();
  command.add_option("--peer-port", into.traffic.peer.port, "RDS port of the peer")->required();
  command.add_option("--steps", options.steps, "write, read, add, swap; withdrawn- or refused- before them: that are to fail")->delimiter(',');
  command.add_option("--sizes", options.sizes, "bytes of memory, repeated")->delimiter(',')->check(CLI::PositiveNumber);
  command.add_option("--count", options.count, "how often each step is taken with each size")->capture_default_str();
  command.add_flag("--use-once", options.use_once, "the datagram that follows an operation ends its offer");
}

address address_of(std::string const& text) {
  auto const found = address::parse(text);
  if (!found) {
    throw std::invalid_argument("no address: " + text);
  }
  return *found;
}

node_options options_of(arguments const& given) {
  node_options made;
  tools::own(made, given.traffic.local.host, given.transport);
  for (auto const& text : given.allowed) {
    auto const peers = subnet::parse(text);
    if (!peers) {
      throw std::invalid_argument("no range of addresses: " + text);
    }
    made.allow(*peers);
  }
  made.tcp.port = given.tcp_port;
  made.tcp.pong_patience = std::chrono::milliseconds(given.pong_patience_ms);
  made.sequence_mark = given.sequence_mark;
  made.verbs = given.verbs;
  return made;
}

nlohmann::json counters_of(node const& on) {
  auto made = nlohmann::json::object();
  on.counters().for_each([&](char const* name, std::uint64_t value) { made[name] = value; });
  return made;
}

nlohmann::json connections_of(node const& on) {
  auto made = nlohmann::json::array();
  for (auto const& row : on.tables().connections) {
    made.push_back({{"local", row.local.to_string()}, {"peer", row.peer.to_string()}, {"type_of_service", row.type_of_service}, {"next_sent", row.next_sent},
                    {"next_received", row.next_received}, {"flags", row.flags}, {"drops", row.drops},
                    {"acknowledged_by", row.acknowledged_by}, {"trouble", row.trouble}});
  }
  return made;
}

/// A subject: what the sub-command runs. Its outcome says why it ended: nothing, canceled (SIGTERM) or timed_out.
template <class Subject>
int run(arguments const& given, loop& where, node& on, driver& commands, Subject& subject, endpoint const& local) {
  auto const limit = std::chrono::milliseconds(static_cast<std::int64_t>(given.timeout_seconds * 1000));
  say({{"event", "ready"}, {"command", given.traffic.command}, {"local", local.to_string()}});
  bool const bounded = given.traffic.command != "ping";  // whose patience is for each answer
  auto work = subject.run();
  auto const outcome = bounded ? block_on(where, with_timeout(limit, std::move(work)), commands.stopped())
                               : block_on(where, std::move(work), commands.stopped());
  auto const complete = subject.complete();
  nlohmann::json report{{"event", "report"}, {"command", given.traffic.command}};
  report["status"] = complete ? "complete" : outcome.ec == errc::timed_out ? "timeout" : "stopped";
  report.update(subject.report());
  report["counters"] = counters_of(on);
  report["connections"] = connections_of(on);
  report["sequence_mark"] = on.sequence_mark();
  say(report);
  return complete && report["clean"].get<bool>() ? 0 : 1;
}

int run_socket(arguments& given, loop& where, node& on, driver& commands) {
  traffic subject(on, commands, where, given.traffic);
  if (auto const why = subject.open()) {
    throw unusable("bind", why);
  }
  return run(given, where, on, commands, subject, subject.local());
}

int run_echo(arguments const& given, loop& where, node& on, driver& commands) {
  auto bound = on.bind(given.traffic.local, given.traffic.buffers);
  if (bound.ec) {
    throw unusable("bind", bound.ec);
  }
  echo subject(bound.data, given.traffic.receive_count);
  return run(given, where, on, commands, subject, bound.data.local());
}

int run_remote(arguments const& given, loop& where, node& on, driver& commands) {
  auto bound = on.bind(given.traffic.local, given.traffic.buffers);
  if (bound.ec) {
    throw unusable("bind", bound.ec);
  }
  if (given.traffic.command == "lend") {
    lender subject(bound.data, given.traffic.peer, given.rounds);
    return run(given, where, on, commands, subject, bound.data.local());
  }
  borrower subject(bound.data, where, given.rounds);
  return run(given, where, on, commands, subject, bound.data.local());
}

int run_command(arguments& given) {
  auto& options = given.traffic;
  options.local.host = address_of(given.local_host);
  if (!given.peer_host.empty()) {
    options.peer.host = address_of(given.peer_host);
  }
  options.linger = std::chrono::milliseconds(given.linger_ms);
  options.sending = options.command == "send" || options.command == "duplex";
  options.receiving = options.command != "send";
  given.waits.to_receive = options.command == "stall";
  loop where;
  driver commands(where, given.waits);
  auto opened = node::open(where, options_of(given));
  if (opened.ec) {
    throw unusable("node", opened.ec);
  }
  node on = std::move(opened.data);
  int status = 0;
  if (options.command == "ping") {
    auto const patience = std::chrono::milliseconds(static_cast<std::int64_t>(given.timeout_seconds * 1000));
    pinger subject(on, options.local.host, options.peer.host, options.send_count, patience);
    status = run(given, where, on, commands, subject, options.local);
  } else if (options.command == "lend" || options.command == "borrow") {
    status = run_remote(given, where, on, commands);
  } else {
    status = options.command == "echo" ? run_echo(given, where, on, commands) : run_socket(given, where, on, commands);
  }
  static_cast<void>(block_on(where, on.close()));
  return status;
}

}  // namespace

int main(int count, char** values) {
  arguments given;
  CLI::App app("Drives an rdsco node and accounts for every datagram.");
  app.require_subcommand(1);
  auto* send = app.add_subcommand("send", "send a flow, and wait until the peer has acknowledged all of it");
  auto* receive = app.add_subcommand("receive", "receive flows");
  auto* stall = app.add_subcommand("stall", "as receive, but read nothing before SIGUSR1");
  auto* duplex = app.add_subcommand("duplex", "send a flow and receive one, on the same socket");
  auto* echo = app.add_subcommand("echo", "return every datagram to its sender");
  auto* ping = app.add_subcommand("ping", "ping an RDS host");
  auto* lend = app.add_subcommand("lend", "offer memory to the peer, and say what it is to do with it");
  auto* borrow = app.add_subcommand("borrow", "do with offered memory what the datagrams say that come with it");
  for (auto* command : {send, receive, stall, duplex, echo, ping, lend, borrow}) {
    add_node(*command, given);
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
  borrow->add_option("--progress", given.rounds.progress_every, "say so after every N operations that are done");
  for (auto* command : {lend, borrow}) {
    command->add_option("--cut-every", given.rounds.cut_every, "end the connection under every Nth operation");
  }
  ping->add_option("--peer", given.peer_host, "address of the peer")->required();
  ping->add_option("--count", given.traffic.send_count, "how many")->required();

  try {
    app.parse(count, values);
    given.traffic.command = app.get_subcommands().front()->get_name();
    return run_command(given);
  } catch (CLI::ParseError const& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (std::invalid_argument const& error) {
    std::cerr << "rdsco_kernel_peer: " << error.what() << '\n';
    return 2;
  } catch (std::runtime_error const& error) {
    std::cerr << "rdsco_kernel_peer: " << error.what() << '\n';
    return 3;
  }
}
