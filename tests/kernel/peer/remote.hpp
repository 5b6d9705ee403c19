// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "kernel/remote_round.hpp"

#include <rdsco/loop.hpp>
#include <rdsco/region.hpp>
#include <rdsco/socket.hpp>

#include <nlohmann/json_fwd.hpp>

namespace rdsco::kernel_lab {

/// Offers memory, and says what is to be done with it.
class lender {
 public:
  lender(socket& on, endpoint const& peer, round_options const& rounds) : socket_(on), peer_(peer), rounds_(rounds) {}

  [[nodiscard]] task<result<>> run();
  [[nodiscard]] nlohmann::json report() const;
  [[nodiscard]] bool complete() const noexcept { return complete_; }

 private:
  [[nodiscard]] task<std::error_code> attempt(round_word asked, remote_step step);
  [[nodiscard]] task<std::error_code> lend(round_word asked, remote_step step, round_memory& memory, region& own);
  [[nodiscard]] task<result<round_kind>> answer(round_word asked);
  [[nodiscard]] task<result<round_word>> next();
  [[nodiscard]] task<> look_whether_used_up(round_word asked, memory_offer& offered);

  socket& socket_;
  endpoint peer_;
  round_options rounds_;
  round_account account_;
  bool complete_ = false;
};

/// Does what lenders ask for.
class borrower {
 public:
  borrower(socket& on, loop& where, round_options const& rounds) : socket_(on), loop_(where), rounds_(rounds) {}

  [[nodiscard]] task<result<>> run();
  [[nodiscard]] nlohmann::json report() const;
  [[nodiscard]] bool complete() const noexcept { return complete_; }

 private:
  [[nodiscard]] task<std::error_code> operate(round_word asked, remote_memory of, endpoint lender);
  [[nodiscard]] task<> operate_on(round_word asked, remote_memory of, round_memory& memory, region& own, std::error_code& outcome);
  [[nodiscard]] task<result<std::uint64_t>> carry_out(round_word asked, remote_memory of, region_slice part);
  [[nodiscard]] task<std::error_code> answer(round_word asked, endpoint lender);
  [[nodiscard]] task<std::error_code> send_behind(round_word asked, endpoint lender);

  socket& socket_;
  loop& loop_;
  round_options rounds_;
  round_account account_;
  std::uint64_t behind_ = 0;
  bool complete_ = false;
};

}  // namespace rdsco::kernel_lab
