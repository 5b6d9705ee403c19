// SPDX-License-Identifier: BSD-2-Clause
#include "tools/commands.hpp"
#include "tools/failure.hpp"

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include <cstdio>
#include <exception>

namespace {

using namespace rdsco::tools;

// CLI11 would only say that a subcommand is required.
void check_command(CLI::App const& app) {
  auto const strange = app.remaining();
  if (!strange.empty()) throw CLI::ValidationError("rdsco", "'" + strange.front() + "' is no command: there are ping, info and stress");
  if (app.get_subcommands().empty()) throw CLI::ValidationError("rdsco", "a command is needed: ping, info or stress");
}

int run(CLI::App& app, int argc, char** argv) {
  ping_options ping;
  info_options info;
  stress_options stress;
  CLI::App* const ping_command = describe(app, ping);
  CLI::App* const info_command = describe(app, info);
  CLI::App* const stress_command = describe(app, stress);
  app.allow_extras();
  try {
    app.parse(argc, argv);
    check_command(app);
    if (stress_command->parsed()) check(stress);
  } catch (CLI::ParseError const& problem) {
    return app.exit(problem) == 0 ? exit_success : exit_usage;
  }
  if (ping_command->parsed()) return run_ping(ping);
  if (info_command->parsed()) return run_info(info);
  return run_stress(stress);
}

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // whoever reads the output through a pipe sees each line at once
  CLI::App app("Reliable Datagram Sockets in user space: look at them, and put them to the test", "rdsco");
  app.set_version_flag("--version", "rdsco " RDSCO_VERSION);
  app.require_subcommand(0, 1);
  app.footer("Exit status: 0 success, 1 failure (no answer, a fault found, a peer or process not reached), 2 wrong arguments.\n"
             "`rdsco COMMAND --help` tells about one command.");
  try {
    return run(app, argc, argv);
  } catch (std::exception const& problem) {
    fmt::print(stderr, "rdsco: {}\n", problem.what());
    return exit_failure;
  }
}
