// SPDX-License-Identifier: BSD-2-Clause
#include "tools/stress_check.hpp"

#include <fmt/core.h>

namespace rdsco::tools {

namespace {
// Beyond it a late datagram is taken for a repeated one: a fault is reported in any case.
constexpr std::size_t holes_max = 1024;

// Numbers wrap around: what lies up to half their range ahead is newer.
bool newer(std::uint32_t a, std::uint32_t b) noexcept { return static_cast<std::int32_t>(a - b) > 0; }
}  // namespace

void stress_faults::add(stress_faults const& other) noexcept {
  lost += other.lost;
  duplicated += other.duplicated;
  reordered += other.reordered;
  corrupted += other.corrupted;
  misdelivered += other.misdelivered;
}

std::string stress_faults::to_string() const {
  return fmt::format("lost {}, duplicated {}, reordered {}, corrupted {}, misdelivered {}", lost, duplicated, reordered, corrupted, misdelivered);
}

stress_check::verdict stress_check::take(stress_header const& header, std::size_t bytes, std::size_t bytes_wanted, bool payload_intact) noexcept {
  bool const ours = header.from_host == expected_.from_host && header.from_port == expected_.from_port &&
                    header.to_host == expected_.to_host && header.to_port == expected_.to_port;
  if (!ours) {
    ++faults_.misdelivered;
    return verdict::wrong;
  }
  if (bytes != bytes_wanted || !payload_intact) ++faults_.corrupted;
  auto const number = header.number;
  if (number == expected_.number) {
    ++expected_.number;
    return verdict::good;
  }
  if (newer(number, expected_.number)) {
    note_hole(expected_.number, number);
    expected_.number = number + 1;
    return verdict::early;
  }
  if (fill_hole(number)) return verdict::late;
  ++faults_.duplicated;
  return verdict::again;
}

void stress_check::note_hole(std::uint32_t first, std::uint32_t end) noexcept {
  faults_.lost += end - first;
  if (holes_.size() == holes_max) holes_.erase(holes_.begin());
  holes_.push_back({first, end});
}

bool stress_check::fill_hole(std::uint32_t number) noexcept {
  for (auto& hole : holes_) {
    if (number - hole.first >= hole.end - hole.first) continue;
    range const before{hole.first, number};
    hole.first = number + 1;
    if (before.first != before.end && holes_.size() < holes_max) holes_.push_back(before);
    --faults_.lost;
    ++faults_.reordered;
    return true;
  }
  return false;
}

}  // namespace rdsco::tools
