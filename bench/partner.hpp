// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "measurement.hpp"

#include <functional>
#include <sys/types.h>

namespace rdsco::bench {

/// Puts this process where it is to run.
void move_to(place const& where);

/// The serving process of a measurement, forked before anything else is opened.
class partner {
 public:
  /// What the server calls when clients may come.
  using announce = std::function<void()>;
  using server = std::function<figures(announce const&)>;

  /// Starts `serve` on the server's place and moves this process to the client's, once the server is ready.
  /// Errors: throws std::runtime_error where the server fails.
  partner(request const& asked, server const& serve);
  partner(partner const&) = delete;
  partner& operator=(partner const&) = delete;
  ~partner();

  /// Waits for its end. The value is what it measured.
  /// Errors: throws std::runtime_error where the server failed.
  figures join();

 private:
  [[nodiscard]] int reap() noexcept;

  pid_t child_ = -1;
  int from_child_ = -1;
};

}  // namespace rdsco::bench
