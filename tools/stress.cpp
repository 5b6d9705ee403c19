// SPDX-License-Identifier: BSD-2-Clause
#include "tools/stress.hpp"

#include "tools/arguments.hpp"
#include "tools/failure.hpp"
#include "tools/stress_session.hpp"

#include <rdsco/block_on.hpp>

#include <fmt/core.h>

namespace rdsco::tools {

namespace {

void describe_test(CLI::App& command, stress_options& options) {
  add_address(command, "-r", options.own, "Receive at this address of this host");
  add_address(command, "-s", options.peer, "Test against the passive end at this address; this end is the active one");
  command.add_option("-p", options.control_port, "TCP port of the agreement; RDS ports begin behind it")->type_name("PORT")->capture_default_str();
  add_size(command, "-q", options.request_bytes, "Size of requests");
  add_size(command, "-a", options.acknowledgement_bytes, "Size of acknowledgements");
  command.add_option("-d", options.depth, "Requests outstanding for each pair of tasks")->type_name("DEPTH")->capture_default_str();
  command.add_option("-t", options.tasks, "Tasks at each end, each with a socket; each talks with all of the other end")->type_name("TASKS")->capture_default_str();
  command.add_option("-T", options.seconds, "Seconds to run, from the first answer on (0: until interrupted)")->type_name("SECONDS")->capture_default_str();
  command.add_option("-Q", options.type_of_service, "Type of service")->check(CLI::Range(0, 255))->type_name("TOS")->capture_default_str();
  command.add_flag("-o", options.simplex, "Only the active end sends requests");
}

void describe_rest(CLI::App& command, stress_options& options) {
  command.add_flag("-v", options.verify, "Check every byte (always on)");
  command.add_flag("-z", options.summary_only, "No row each second, the summary only");
  command.add_flag("--json", options.json, "The summary as JSON, and nothing else");
  command.add_option("--port", options.tcp_port, "TCP port of RDS at both ends")->type_name("TCPPORT")->capture_default_str();
  command.add_flag("--protocol-2.0.6", options.old_protocol, "Agree as rds-stress 2.0.6 does, which has no -Q");
  add_subnets(command, "--allow", options.allowed, "Passive end: hosts that may take part (may be given several times); default all");
  command.add_option("--connect-retries", options.connect_retries, "Seconds to go on trying to reach the passive end")->capture_default_str();
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
  command->footer("One end is passive (rdsco stress -r ADDRESS), the other active (rdsco stress -r ADDRESS -s PASSIVE ...). It speaks the\n"
                  "protocol of rds-stress 2.0.6 and 2.0.7, so that either end may be an unmodified rds-stress on a kernel.\n"
                  "Exit status: 0 all datagrams arrived once, whole and in order at both ends; 1 they did not, or an end failed;\n"
                  "2 wrong arguments.");
  return command;
}

void check(stress_options const& options) {
  if (!options.command->parsed()) return;
  if (!options.own && !options.peer)
    throw CLI::ValidationError("stress", "-r ADDRESS is needed for a passive end, -s ADDRESS for an active one");
  if (options.own && options.peer && options.own->is_v4() != options.peer->is_v4())
    throw CLI::ValidationError("stress", "-r and -s must both be IPv4, or both IPv6");
  if (options.old_protocol && options.type_of_service != 0) throw CLI::ValidationError("-Q", "rds-stress 2.0.6 has no type of service");
  stress_parameters asked;
  asked.request_bytes = static_cast<std::uint32_t>(std::min<std::size_t>(options.request_bytes, UINT32_MAX));
  asked.acknowledgement_bytes = static_cast<std::uint32_t>(std::min<std::size_t>(options.acknowledgement_bytes, UINT32_MAX));
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
