// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "tools/control_stream.hpp"
#include "tools/interrupt.hpp"
#include "tools/stress.hpp"
#include "tools/stress_flow.hpp"
#include "tools/stress_report.hpp"

#include <rdsco/loop.hpp>
#include <rdsco/node.hpp>
#include <rdsco/stats_server.hpp>
#include <rdsco/task_group.hpp>

#include <memory>
#include <string>
#include <vector>

namespace rdsco::tools {

/// One test between two ends, from the agreement to the account. Errors: throws failure.
class stress_session {
 public:
  stress_session(loop& where, stress_options const& options);

  [[nodiscard]] task<stress_outcome> run();

 private:
  [[nodiscard]] bool active() const noexcept { return options_.peer.has_value(); }
  void open(address const& own);
  void say(std::string const& text) const;

  task<> agree();
  task<> connect_control();
  task<> send_parameters();
  task<> accept_control();
  task<> receive_parameters();
  void bind_tasks();
  task<> go();

  task<> exchange();
  task<> time_over();
  task<> control_ended();
  task<> send_failed();
  task<> print_rows();
  void measure_from_here();
  void measure_to_here();

  task<> finish();
  task<> finish_active();
  task<> stop_rds_stress();
  task<> finish_passive();
  task<> settle();
  [[nodiscard]] stress_outcome outcome() const;

  loop& where_;
  stress_options const& options_;
  interrupt interrupt_;
  control_stream control_;
  node node_;
  stats_server stats_;
  address own_, peer_;
  stress_run run_;
  std::vector<std::unique_ptr<stress_task>> tasks_;
  task_group traffic_;
  bool peer_is_rdsco_ = false;
  bool told_to_stop_ = false;
  bool accounted_ = false;  // the requests under way at the end were waited for
  std::chrono::steady_clock::time_point start_, end_;
  stress_traffic from_, to_;
  std::optional<std::string> peer_account_;
};

}  // namespace rdsco::tools
