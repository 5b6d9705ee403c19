// SPDX-License-Identifier: BSD-2-Clause
#include "table.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace demo {

namespace {

std::string in_units(std::uint64_t bytes) {
  double const gib = static_cast<double>(bytes) / (1u << 30);
  return gib >= 1 ? fmt::format("{:.2f} GiB", gib) : fmt::format("{:.1f} MiB", gib * 1024);
}

float at(std::vector<float> const& sorted, double part) {
  if (sorted.empty()) return 0;
  return sorted[std::min(sorted.size() - 1, static_cast<std::size_t>(part * static_cast<double>(sorted.size())))];
}

}  // namespace

void print_head() {
  fmt::print("{:<26} {:>9} {:>11} {:>10} | {:>8} {:>8} {:>8} {:>8} | {:>4} {:>10} {:>9} {:>9}\n", "", "messages", "bytes", "messages/s",
             "p50 us", "p90 us", "p99 us", "max us", "lost", "duplicated", "reordered", "corrupted");
}

void print_row(std::string const& title, totals& sums) {
  auto& trips = sums.trips_us;
  double const rate = sums.seconds > 0 ? static_cast<double>(sums.messages) / sums.seconds : 0;
  std::sort(trips.begin(), trips.end());
  fmt::print("{:<26} {:>9} {:>11} {:>10.0f} | {:>8.0f} {:>8.0f} {:>8.0f} {:>8.0f} | {:>4} {:>10} {:>9} {:>9}\n", title, sums.messages,
             in_units(sums.bytes), rate, at(trips, 0.5), at(trips, 0.9), at(trips, 0.99), at(trips, 1),
             sums.lost, sums.duplicated, sums.reordered, sums.corrupted);
}

}  // namespace demo
