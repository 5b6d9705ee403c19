// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/buffer.hpp>
#include <rdsco/message.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <vector>

namespace demo {

/// What came of all datagrams.
struct totals {
  std::uint64_t messages = 0, bytes = 0;
  std::uint64_t lost = 0, duplicated = 0, reordered = 0, corrupted = 0;
  std::vector<float> trips_us;
  double seconds = 0;  ///< from the first datagram to the last echo

  [[nodiscard]] bool clean() const noexcept { return lost == 0 && duplicated == 0 && reordered == 0 && corrupted == 0; }
};

/// The datagrams from one socket to one destination: what each holds, and which echoes have come back.
class account {
 public:
  static constexpr std::size_t name_bytes = 16;
  static constexpr std::size_t bytes_max = 1u << 20;
  static constexpr std::size_t window = 64;  ///< at most so many may be under way

  explicit account(std::uint64_t flow) noexcept : flow_(flow) {}

  /// A datagram to send: its name, and bytes that follow from the name. Lifetime: of this account, until the next one.
  [[nodiscard]] std::span<rdsco::const_buffer const> next();
  /// Judges an echo. False: it is none of this flow's.
  bool take(rdsco::message const& echo, totals& into);
  /// The echoes that never came. To be asked once.
  void close(totals& into) const noexcept;

 private:
  using clock_ns = std::uint64_t;
  struct name {
    std::uint64_t flow, index;
  };
  [[nodiscard]] std::size_t size_of(std::uint64_t index) const noexcept;
  [[nodiscard]] rdsco::const_buffer content_of(std::uint64_t index) const noexcept;
  [[nodiscard]] bool intact(rdsco::message const& echo, std::uint64_t index) const;
  void place(std::uint64_t index, totals& into);

  std::uint64_t flow_;
  std::uint64_t sent_ = 0;       // also the index of the next datagram
  std::uint64_t expected_ = 0;   // index of the next echo
  std::set<std::uint64_t> missing_;
  std::vector<clock_ns> sent_at_ = std::vector<clock_ns>(window);
  name name_{};
  std::array<rdsco::const_buffer, 2> parts_;
};

}  // namespace demo
