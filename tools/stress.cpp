// SPDX-License-Identifier: BSD-2-Clause
#include "tools/stress.hpp"

#include "tools/failure.hpp"
#include "tools/stress_session.hpp"

#include <rdsco/block_on.hpp>

#include <fmt/core.h>

namespace rdsco::tools {

namespace {

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

int run_stress(stress_options const& options) {
  loop where;
  stress_session session(where, options);
  return conclude(options, block_on(where, session.run()));
}

}  // namespace rdsco::tools
