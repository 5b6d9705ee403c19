// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "kernel/afrds/traffic.hpp"
#include "kernel/remote_round.hpp"

#include <deque>
#include <optional>
#include <vector>

namespace rdsco::kernel_lab {

/// One end of a conversation about remote memory.
class remote_end_point {
 public:
  remote_end_point(traffic_options const& options, round_options const& rounds);

 protected:
  using clock = std::chrono::steady_clock;
  struct heard {
    round_word word;
    socket_address source;
    std::uint64_t cookie = 0;
  };

  /// Lets 5 ms pass, or less where something arrives. Errors: std::runtime_error at the deadline.
  void wait();
  void send(round_word const& word, socket_address const& to);
  void send(round_word const& word, socket_address const& to, send_control const& control);
  void drain();
  /// Takes what has arrived, and is not taken yet.
  void receive_some();
  [[nodiscard]] std::optional<heard> next();
  [[nodiscard]] int report();

  traffic_options options_;
  round_options rounds_;
  rds_socket socket_;
  driver_events events_;
  round_account account_;
  std::deque<heard> arrived_;
  std::map<std::uint64_t, std::int32_t> ended_;  // operations, by their tokens
  clock::time_point deadline_;
};

/// Offers memory of this process, registered with each offer: the one way that the kernel has.
class lender : remote_end_point {
 public:
  lender(traffic_options const& options, round_options const& rounds);
  int run();

 private:
  /// Memory that is out, and what became of it.
  struct loan {
    round_word asked;
    round_memory memory;
    std::uint64_t cookie = 0;
    std::optional<round_kind> answered{};
  };

  void lend_one_by_one();
  void lend_ahead();
  void offer(std::vector<loan>& loans);
  void collect(std::vector<loan>& loans);
  void take_answer(std::vector<loan>& loans, round_word const& word);
  void lost(std::vector<loan>& loans);
  [[nodiscard]] bool attempt(round_word const& asked, remote_step const& step);
  void offer(round_word const& asked, round_memory& memory, std::uint64_t& cookie);
  [[nodiscard]] round_kind answer(round_word const& asked, std::uint64_t& cookie);
  void give_back(round_word const& asked, std::uint64_t& cookie);

  socket_address peer_;
};

/// Does what lenders ask for.
class borrower : remote_end_point {
 public:
  borrower(traffic_options const& options, round_options const& rounds) : remote_end_point(options, rounds) {}
  int run();

 private:
  void operate(round_word const& asked, std::uint64_t cookie, socket_address const& lender);
  [[nodiscard]] std::int32_t ended(std::uint64_t token);

  std::uint64_t operations_ = 0;
  std::uint64_t behind_ = 0;
};

}  // namespace rdsco::kernel_lab
