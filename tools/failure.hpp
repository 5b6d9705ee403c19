// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <stdexcept>

namespace rdsco::tools {

enum exit_status : int { exit_success = 0, exit_failure = 1, exit_usage = 2 };

/// Why a command ends early: a sentence for a person, with what to do next.
class failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace rdsco::tools
