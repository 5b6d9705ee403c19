// SPDX-License-Identifier: BSD-2-Clause
#include "tools/commands.hpp"

#include "tools/arguments.hpp"
#include "tools/stress_control.hpp"
#include "tools/stress_header.hpp"
#include "tools/transport_choice.hpp"

namespace rdsco::tools {

namespace {

void add_transport(CLI::App& to, std::string& into) {
  to.add_option("--transport", into, "What carries RDS between the hosts")
      ->check(CLI::IsMember(transport_names()))
      ->type_name("NAME")
      ->capture_default_str();
}

void describe_test(CLI::App& command, stress_options& options) {
  add_address(command, "-r", options.own,
              "Receive at this address of this host; else an active end where routing would have it, and a passive one where the "
              "active one comes to, by IPv4");
  add_address(command, "-s", options.peer, "Test against the passive end at this address; this end is the active one");
  add_number(command, "-p", options.control_port, 1, stress_parameters::starting_port_max,
             "TCP port of the agreement; RDS ports begin behind it", "PORT");
  add_size(command, "-q", options.request_bytes, stress_header::bytes, stress_bytes_max, "Size of requests");
  add_size(command, "-a", options.acknowledgement_bytes, stress_header::bytes, stress_bytes_max, "Size of acknowledgements");
  add_size(command, "-D", options.rdma_bytes, 0, stress_bytes_max,
           "RDMA of that size with each request, every byte checked; between two rdsco ends, over ib or iwarp (0: none)");
  add_number(command, "-I", options.rdma_vector, 1, stress_parameters::rdma_vector_max,
             "RDMA of so many times that size: gathered from, or scattered to, as many pieces", "PIECES");
  add_number(command, "-M", options.rdma_mode, 0, 2, "RDMA: 0 writes and reads by turns, 1 reads only, 2 writes only", "MODE");
  add_number(command, "-d", options.depth, 1, stress_parameters::depth_max, "Requests outstanding for each pair of tasks", "DEPTH");
  add_number(command, "-t", options.tasks, 1, stress_parameters::tasks_max, "Tasks at each end, each with a socket; each talks with all of the other end", "TASKS");
  add_number(command, "-T", options.seconds, 0, UINT32_MAX, "Seconds to run, from the first answer on (0: until interrupted)", "SECONDS");
  add_type_of_service(command, "-Q", options.type_of_service);
  command.add_flag("-o", options.simplex, "Only the active end sends requests");
}

void describe_rest(CLI::App& command, stress_options& options) {
  command.add_flag("-v", options.verify, "Check every byte (always on)");
  command.add_flag("-z", options.summary_only, "No row each second, the summary only");
  command.add_flag("--json", options.json, "The summary as JSON, and nothing else");
  add_port(command, "--port", options.tcp_port, "TCP port of RDS at both ends");
  add_transport(command, options.transport);
  command.add_flag("--protocol-2.0.6", options.old_protocol, "Agree as rds-stress 2.0.6 does, which has no -Q");
  add_subnets(command, "--allow", options.allowed, "Passive end: hosts that may take part (may be given several times); default all");
  add_number(command, "--connect-retries", options.connect_retries, 0, UINT32_MAX, "Seconds to go on trying to reach the passive end", "SECONDS");
  add_time(command, "--patience", options.patience, "How long to wait for what must come before it counts as lost; default 30 seconds");
  command.add_option("--stats", options.stats_path, "Serve statistics for `rdsco info --socket PATH`")->type_name("PATH");
}

}  // namespace

CLI::App* describe(CLI::App& app, ping_options& options) {
  auto* const command = app.add_subcommand("ping", "Measure the round trip to the RDS layer of a host: a kernel's, or an rdsco node's");
  add_number(*command, "-c,--count", options.count, 0, UINT32_MAX, "Stop after so many pings (0: never)", "COUNT");
  add_time(*command, "-i,--interval", options.wait, "Time between pings: 1.5 (seconds), 20ms, 300us; default 1 second");
  add_time(*command, "--patience", options.patience, "How long to wait for an answer before it counts as lost; default 5 seconds");
  command->add_option("-I,--source", options.source, "Ask from this address of this host; else from where routing would")->type_name("HOST");
  add_type_of_service(*command, "-Q,--tos", options.type_of_service);
  add_port(*command, "--port", options.tcp_port, "TCP port of RDS at both ends");
  add_transport(*command, options.transport);
  command->add_option("dst", options.peer, "The host to ask: a name, or an address such as 10.0.0.1, fd00::1 or fe80::1%eth0")->type_name("HOST")->required();
  command->footer("Prints ` number: time usec` for each answer, and the same with ` ERROR: why` for a ping that has none. Exit status: 0 when at least one came, 1 when none came, 2 wrong arguments.");
  return command;
}

CLI::App* describe(CLI::App& app, info_options& options) {
  auto* const command = app.add_subcommand("info", "Counters, connections and queues of a running process, as rds-info shows the kernel's");
  command->add_option("--socket", options.socket, "Where the process serves its statistics")->type_name("PATH")->envname("RDSCO_STATS_SOCKET")->required();
  command->add_flag("-c", options.counters, "Counters");
  command->add_flag("-n", options.connections, "Connections");
  command->add_flag("-k", options.sockets, "Sockets");
  command->add_flag("-s", options.sent, "Send queue: what has not been sent");
  command->add_flag("-t", options.retransmit, "Retransmit queue: what has not been acknowledged");
  command->add_flag("-r", options.received, "Receive queue: what has not been read");
  command->add_flag("-T", options.tcp, "TCP connections");
  command->add_flag("-I", options.infiniband, "InfiniBand, RoCE and iWARP connections, and where the node's addresses lie");
  command->add_flag("-v", options.verbose, "Counters that are zero, too; of InfiniBand connections rings, version, credits and stage");
  command->add_flag("--json", options.json, "All of it as JSON, as the process tells it");
  command->footer("Without a table's letter: all tables. Exit status: 0 success, 1 the process was not reached, 2 wrong arguments.");
  return command;
}

CLI::App* describe(CLI::App& app, stress_options& options) {
  auto* const command = app.add_subcommand("stress", "Requests and acknowledgements between two ends, every one checked: order, exactly once, each byte");
  describe_test(*command, options);
  describe_rest(*command, options);
  command->footer("One end is passive (rdsco stress [-r ADDRESS]), the other active (rdsco stress -r ADDRESS -s PASSIVE ...). It speaks the\n"
                  "protocol of rds-stress 2.0.6 and 2.0.7, so that either end may be an unmodified rds-stress on a kernel.\n"
                  "Exit status: 0 all datagrams arrived once, whole and in order at both ends; 1 they did not, or an end failed;\n"
                  "2 wrong arguments.");
  return command;
}

void check(stress_options const& options) {
  if (options.own && options.peer && options.own->is_v4() != options.peer->is_v4())
    throw CLI::ValidationError("stress", "-r and -s must both be IPv4, or both IPv6");
  if (options.old_protocol && options.type_of_service != 0) throw CLI::ValidationError("-Q", "rds-stress 2.0.6 has no type of service");
  if (options.rdma_bytes != 0 && options.transport == "tcp")
    throw CLI::ValidationError("-D", "RDS over TCP has no RDMA; --transport ib or iwarp has, where there is an adapter");
  stress_parameters asked;
  asked.rdma_bytes = static_cast<std::uint32_t>(options.rdma_bytes);
  asked.rdma_vector = options.rdma_vector;
  asked.rdma_mode = static_cast<std::uint8_t>(options.rdma_mode);
  asked.request_bytes = static_cast<std::uint32_t>(options.request_bytes);
  asked.acknowledgement_bytes = static_cast<std::uint32_t>(options.acknowledgement_bytes);
  asked.depth = options.depth;
  asked.tasks = options.tasks;
  asked.starting_port = options.control_port;
  if (auto const problem = asked.problem()) throw CLI::ValidationError("stress", *problem);
}

}  // namespace rdsco::tools
