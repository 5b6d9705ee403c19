// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/detail/io_backend.hpp>
#include <rdsco/fwd.hpp>
#include <rdsco/task.hpp>

namespace rdsco::tools {

/// SIGINT and SIGTERM as something to wait for. The second one ends the program as usual.
class interrupt {
 public:
  explicit interrupt(loop& where);
  interrupt(interrupt const&) = delete;
  interrupt& operator=(interrupt const&) = delete;
  ~interrupt();

  /// Completes when a signal came, or when it is canceled.
  [[nodiscard]] task<> wait();

 private:
  loop& where_;
  int descriptor_;
  detail::io_handle handle_;
};

}  // namespace rdsco::tools
