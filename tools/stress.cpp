// SPDX-License-Identifier: BSD-2-Clause
#include "tools/stress.hpp"

#include "tools/arguments.hpp"
#include "tools/failure.hpp"
#include "tools/stress_session.hpp"
#include "tools/transport_choice.hpp"

#include <rdsco/block_on.hpp>

#include <fmt/core.h>

namespace rdsco::tools {

namespace {

void describe_test(CLI::App& command, stress_options& options) {
  add_address(command, "-r", options.own,
              "Receive at this address of this host; else an active end where routing would have it, and a passive one where the "
              "active one comes to, by IPv4");
  add_address(command, "-s", options.peer, "Test against the passive end at this address; this end is the active one");
  add_number(command, "-p", options.control_port, 1, stress_parameters::starting_port_max,
             "TCP port of the agreement; RDS ports begin behind it", "PORT");
  add_size(command, "-q", options.request_bytes, stress_header::bytes, stress_bytes_max, "Size of requests");
  add_size(command, "-a", options.acknowledgement_bytes, stress_header::bytes, stress_bytes_max, "Size of acknowledgements");
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

int conclude(stress_options const& options, stress_outcome const& outcome) {
  if (options.json) {
    fmt::print("{}\n", outcome_json(outcome));
  } else {
    fmt::print("---------------------------------------------\n{}\n", stress_table(outcome.parameters.tasks).average(outcome));
    print_outcome(outcome);
  }
  return outcome.clean() ? exit_success : exit_failure;
}

}  // namespace

CLI::App* describe(CLI::App& app, stress_options& options) {
  auto* const command = app.add_subcommand("stress", "Requests and acknowledgements between two ends, every one checked: order, exactly once, each byte");
  options.command = command;
  describe_test(*command, options);
  describe_rest(*command, options);
  command->footer("One end is passive (rdsco stress [-r ADDRESS]), the other active (rdsco stress -r ADDRESS -s PASSIVE ...). It speaks the\n"
                  "protocol of rds-stress 2.0.6 and 2.0.7, so that either end may be an unmodified rds-stress on a kernel.\n"
                  "Exit status: 0 all datagrams arrived once, whole and in order at both ends; 1 they did not, or an end failed;\n"
                  "2 wrong arguments.");
  return command;
}

void check(stress_options const& options) {
  if (!options.command->parsed()) return;
  if (options.own && options.peer && options.own->is_v4() != options.peer->is_v4())
    throw CLI::ValidationError("stress", "-r and -s must both be IPv4, or both IPv6");
  if (options.old_protocol && options.type_of_service != 0) throw CLI::ValidationError("-Q", "rds-stress 2.0.6 has no type of service");
  stress_parameters asked;
  asked.request_bytes = static_cast<std::uint32_t>(options.request_bytes);
  asked.acknowledgement_bytes = static_cast<std::uint32_t>(options.acknowledgement_bytes);
  asked.depth = options.depth;
  asked.tasks = options.tasks;
  asked.starting_port = options.control_port;
  if (auto const problem = asked.problem()) throw CLI::ValidationError("stress", *problem);
}

int run_stress(stress_options const& options) {
  loop where;
  stress_session session(where, options);
  return conclude(options, block_on(where, session.run()));
}

}  // namespace rdsco::tools
