// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/peer/replies.hpp"

#include <rdsco/with_timeout.hpp>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace rdsco::kernel_lab {

task<result<>> pinger::run() {
  for (std::uint64_t index = 0; index < count_; ++index) {
    auto ping = node_.ping(from_, peer_);
    auto const answer = co_await with_timeout(patience_, std::move(ping));
    if (answer.ec == errc::canceled) {
      co_return answer.ec;
    }
    if (answer.ec) {
      unanswered_.push_back(index);
    } else {
      microseconds_.push_back(std::chrono::duration_cast<std::chrono::microseconds>(answer.data).count());
    }
  }
  co_return result<>();
}

nlohmann::json pinger::report() const {
  auto sorted = microseconds_;
  std::sort(sorted.begin(), sorted.end());
  auto const median = sorted.empty() ? nlohmann::json() : nlohmann::json(sorted[sorted.size() / 2]);
  return {{"clean", unanswered_.empty()}, {"answered", sorted.size()}, {"unanswered", unanswered_}, {"median_us", median}};
}

task<result<>> echo::run() {
  while (count_ == 0 || returned_ < count_) {
    auto const got = co_await socket_.receive();
    if (got.ec) {
      co_return got.ec;
    }
    auto const sent = co_await socket_.send_to(got.data.payload(), got.data.from());
    if (sent.ec) {
      co_return sent.ec;
    }
    ++returned_;
  }
  auto const drained = co_await socket_.drain(std::chrono::hours(1));
  co_return drained.ec;
}

nlohmann::json echo::report() const {
  return {{"clean", complete()}, {"returned", returned_}, {"unacknowledged", socket_.unacknowledged()}};
}

}  // namespace rdsco::kernel_lab
