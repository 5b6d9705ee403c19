// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/node.hpp>

#include <nlohmann/json_fwd.hpp>

#include <chrono>
#include <cstdint>
#include <vector>

namespace rdsco::kernel_lab {

/// Pings a host, each ping after the answer to the one before.
class pinger {
 public:
  pinger(node& on, address const& from, address const& peer, std::uint64_t count, std::chrono::milliseconds patience)
      : node_(on), from_(from), peer_(peer), count_(count), patience_(patience) {}

  [[nodiscard]] task<result<>> run();
  [[nodiscard]] nlohmann::json report() const;
  [[nodiscard]] bool complete() const noexcept { return microseconds_.size() == count_; }

 private:
  node& node_;
  address from_;
  address peer_;
  std::uint64_t count_;
  std::chrono::milliseconds patience_;
  std::vector<std::int64_t> microseconds_;
  std::vector<std::uint64_t> unanswered_;
};

/// Returns every datagram to its sender, until stopped or until `count` were returned (0: no such end).
class echo {
 public:
  echo(socket& on, std::uint64_t count) : socket_(on), count_(count) {}

  [[nodiscard]] task<result<>> run();
  [[nodiscard]] nlohmann::json report() const;
  [[nodiscard]] bool complete() const noexcept { return count_ == 0 || returned_ == count_; }

 private:
  socket& socket_;
  std::uint64_t count_;
  std::uint64_t returned_ = 0;
};

}  // namespace rdsco::kernel_lab
