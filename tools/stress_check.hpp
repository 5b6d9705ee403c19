// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "tools/stress_header.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace rdsco::tools {

/// What must never happen to a datagram, counted.
struct stress_faults {
  std::uint64_t lost = 0;
  std::uint64_t duplicated = 0;
  std::uint64_t reordered = 0;
  std::uint64_t corrupted = 0;     ///< length or a byte is not what was sent
  std::uint64_t misdelivered = 0;  ///< for another task, from nobody known, or an answer to no question

  stress_faults() noexcept = default;
  void add(stress_faults const& other) noexcept;
  [[nodiscard]] bool any() const noexcept { return lost != 0 || duplicated != 0 || reordered != 0 || corrupted != 0 || misdelivered != 0; }
  [[nodiscard]] std::string to_string() const;
};

/// The account of the datagrams that one task receives from another. Pure: it judges what it is shown.
class stress_check {
 public:
  enum class verdict : std::uint8_t { good, early, late, again, wrong };

  stress_check() noexcept = default;
  /// Of datagrams from `peer` to `own`.
  stress_check(endpoint const& peer, endpoint const& own) noexcept : expected_(peer, own) {}

  /// Judges one datagram and counts its faults. `bytes_wanted`: by its kind. Only a good, early or late one is new.
  verdict take(stress_header const& header, std::size_t bytes, std::size_t bytes_wanted, bool payload_intact) noexcept;

  /// Datagrams that should have come by now: those missing between others count as lost.
  [[nodiscard]] stress_faults const& faults() const noexcept { return faults_; }
  [[nodiscard]] std::uint32_t next_number() const noexcept { return expected_.number; }

 private:
  // A hole in the numbers: [first, end).
  struct range {
    std::uint32_t first, end;
  };
  [[nodiscard]] bool fill_hole(std::uint32_t number) noexcept;
  void note_hole(std::uint32_t first, std::uint32_t end) noexcept;

  stress_header expected_;
  stress_faults faults_;
  std::vector<range> holes_;  // the newest, a bounded number of them
};

}  // namespace rdsco::tools
