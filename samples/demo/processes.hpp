// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

namespace demo {

/// This program, started once more with other arguments. It dies with its parent.
class child_process {
 public:
  explicit child_process(std::vector<std::string> arguments);
  child_process(child_process&& other) noexcept;
  child_process& operator=(child_process&&) = delete;
  /// Ends it by force where it still runs.
  ~child_process();

  /// Waits until it has written a line; throws where it ends, or is silent, instead.
  void wait_until_ready();
  /// Waits for its end, for ten seconds at most; throws where it did not end well.
  void wait_for_end();

 private:
  std::string name_;
  pid_t process_ = -1;
  int output_ = -1;
};

}  // namespace demo
