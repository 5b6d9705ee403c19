// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "tools/stress_flow.hpp"

#include <optional>
#include <string>

namespace rdsco::tools {

/// What a run came to.
struct stress_outcome {
  std::string role;
  stress_parameters parameters;
  stress_traffic traffic;            ///< all of it
  double seconds = 0;                ///< from the other end's first datagram to the stop
  stress_traffic from, to;           ///< the traffic's counts then
  percentiles trips;
  stress_faults faults;
  std::uint64_t unanswered = 0;      ///< requests, where the other end could be waited for
  bool payload_checked = true;
  bool every_byte_checked = false;   ///< the rest of the header too: between two rdsco ends
  std::optional<std::string> peer;   ///< the other end's own account, as it sent it
  std::optional<bool> peer_clean;

  stress_outcome() = default;
  [[nodiscard]] bool clean() const noexcept { return !faults.any() && unanswered == 0 && peer_clean.value_or(true); }
};

/// Rows as rds-stress prints them, one a second.
class stress_table {
 public:
  explicit stress_table(unsigned tasks) noexcept : tasks_(tasks) {}
  static void print_head();
  /// What was done since the last row.
  [[nodiscard]] std::string next_row(stress_traffic const& now, double seconds);
  [[nodiscard]] std::string average(stress_outcome const& outcome) const;

 private:
  [[nodiscard]] std::string row(stress_traffic const& from, stress_traffic const& to, double seconds, double cpu) const;

  unsigned tasks_;
  stress_traffic last_;
  double last_cpu_ = 0;
};

/// Processor time of this process so far, in seconds.
[[nodiscard]] double processor_seconds() noexcept;

void print_outcome(stress_outcome const& outcome);
[[nodiscard]] std::string outcome_json(stress_outcome const& outcome);
/// One line, for the other end.
[[nodiscard]] std::string account_line(stress_outcome const& outcome);
/// What such a line says: whether it found no fault. Nothing where it is none.
[[nodiscard]] std::optional<bool> account_is_clean(std::string const& line);

}  // namespace rdsco::tools
