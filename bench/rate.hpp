// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "stopwatch.hpp"
#include "usage.hpp"

#include <cstdint>

namespace rdsco::bench {

/// Of a receiver, between the end of the warmup and the last message; and what it used for them.
class rate {
 public:
  explicit rate(request const& asked) : asked_(asked) {}

  /// Has to be told of the last one, however many at once it hears of.
  void note(std::uint64_t messages) {
    if (from_ == 0 && messages >= asked_.warmup) {
      from_ = messages;
      used_.start();
      timer_.start();
    }
    if (messages == asked_.warmup + asked_.count) finish(messages - from_);
  }
  [[nodiscard]] figures const& result() const { return found_; }

 private:
  void finish(std::uint64_t counted) {
    double const per_second = static_cast<double>(counted) * 1e9 / timer_.ns();
    used_.add_to(found_, "receiver_", counted);
    found_["per_second"] = per_second;
  }

  request const& asked_;
  stopwatch timer_;
  usage used_;
  std::uint64_t from_ = 0;
  figures found_;
};

}  // namespace rdsco::bench
