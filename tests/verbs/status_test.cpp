// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a status of a completion that nobody thought of: no text, no condition to test for, a notification that claims success.
// Forced by: every status that the verbs have, one by one, against what programs and the kernel's RDS expect.

#include "verbs/status.hpp"

#include <rdsco/notification.hpp>

#include <catch2/catch.hpp>

#include <set>
#include <string>
#include <vector>

namespace {

using namespace rdsco;
using namespace rdsco::verbs;

struct expectation {
  ibv_wc_status status;
  std::errc condition;
};

// P 3.12 gives the notifications; the conditions are what a caller branches on.
std::vector<expectation> const failures{
    {IBV_WC_LOC_LEN_ERR, std::errc::message_size},
    {IBV_WC_LOC_QP_OP_ERR, std::errc::invalid_argument},
    {IBV_WC_LOC_EEC_OP_ERR, std::errc::invalid_argument},
    {IBV_WC_LOC_PROT_ERR, std::errc::bad_address},
    {IBV_WC_WR_FLUSH_ERR, std::errc::operation_canceled},
    {IBV_WC_MW_BIND_ERR, std::errc::permission_denied},
    {IBV_WC_BAD_RESP_ERR, std::errc::io_error},
    {IBV_WC_LOC_ACCESS_ERR, std::errc::bad_address},
    {IBV_WC_REM_INV_REQ_ERR, std::errc::invalid_argument},
    {IBV_WC_REM_ACCESS_ERR, std::errc::permission_denied},
    {IBV_WC_REM_OP_ERR, std::errc::io_error},
    {IBV_WC_RETRY_EXC_ERR, std::errc::host_unreachable},
    {IBV_WC_RNR_RETRY_EXC_ERR, std::errc::no_buffer_space},
    {IBV_WC_LOC_RDD_VIOL_ERR, std::errc::io_error},
    {IBV_WC_REM_INV_RD_REQ_ERR, std::errc::io_error},
    {IBV_WC_REM_ABORT_ERR, std::errc::io_error},
    {IBV_WC_INV_EECN_ERR, std::errc::io_error},
    {IBV_WC_INV_EEC_STATE_ERR, std::errc::io_error},
    {IBV_WC_FATAL_ERR, std::errc::io_error},
    {IBV_WC_RESP_TIMEOUT_ERR, std::errc::timed_out},
    {IBV_WC_GENERAL_ERR, std::errc::io_error},
    {IBV_WC_TM_ERR, std::errc::io_error},
    {IBV_WC_TM_RNDV_INCOMPLETE, std::errc::io_error},
};

}  // namespace

TEST_CASE("every status has a text of its own, a condition, and keeps its number") {
  std::set<std::string> texts;
  std::set<int> seen{IBV_WC_SUCCESS};
  for (auto const& [status, condition] : failures) {
    std::error_code const code = code_of(status);
    INFO(status << ": " << code.message());
    CHECK(code);
    CHECK(code.value() == static_cast<int>(status));
    CHECK(code == condition);
    CHECK(std::string(code.category().name()) == "rdsco.verbs");
    CHECK(code.message().size() > 10);
    texts.insert(code.message());
    seen.insert(status);
  }
  CHECK(texts.size() == failures.size());
  for (int status = IBV_WC_SUCCESS; status <= IBV_WC_TM_RNDV_INCOMPLETE; ++status) {
    INFO("status " << status << " is not in the table of this test");
    CHECK(seen.contains(status));
  }
}

TEST_CASE("success is no error, and a number that is no status has a text that says so") {
  CHECK(!code_of(IBV_WC_SUCCESS));
  CHECK(completion_category().message(0) == "success");
  CHECK(completion_category().message(9999).find("9999") != std::string::npos);
  CHECK(completion_category().default_error_condition(9999) == std::errc::io_error);
}

TEST_CASE("how an operation ended, by the status of its request, and what a kernel would call that") {
  CHECK(outcome_of(IBV_WC_SUCCESS) == errc());
  std::set<int> const of_connection{IBV_WC_WR_FLUSH_ERR, IBV_WC_RETRY_EXC_ERR, IBV_WC_RNR_RETRY_EXC_ERR};
  for (auto const& each : failures) {
    INFO("status " << each.status);
    errc expected = errc::remote_failed;
    if (each.status == IBV_WC_REM_ACCESS_ERR) expected = errc::remote_access;
    if (of_connection.contains(each.status)) expected = errc::operation_dropped;
    CHECK(outcome_of(each.status) == expected);
  }
  CHECK(notification_of(outcome_of(IBV_WC_REM_ACCESS_ERR)) == notification::remote_error);
  CHECK(notification_of(outcome_of(IBV_WC_WR_FLUSH_ERR)) == notification::dropped);
  CHECK(notification_of(outcome_of(IBV_WC_LOC_PROT_ERR)) == notification::other_error);
}
