// SPDX-License-Identifier: BSD-2-Clause
#include "verbs/status.hpp"

#include <string>

namespace rdsco::verbs {

namespace {

char const* text_of(ibv_wc_status status) noexcept {
  switch (status) {
    case IBV_WC_SUCCESS: return "success";
    case IBV_WC_LOC_LEN_ERR: return "a message was larger than the receive that took it: the peer sent more than a fragment";
    case IBV_WC_LOC_QP_OP_ERR: return "the adapter refused a request as inconsistent with its queue pair: this is an error of rdsco";
    case IBV_WC_LOC_PROT_ERR: return "a request named memory that is not registered: this is an error of rdsco";
    case IBV_WC_WR_FLUSH_ERR: return "the connection ended before the request was carried out; what is unacknowledged is sent again";
    case IBV_WC_MW_BIND_ERR: return "a memory window could not be bound: the region does not permit what is offered";
    case IBV_WC_BAD_RESP_ERR: return "the peer's adapter answered something unexpected";
    case IBV_WC_LOC_ACCESS_ERR: return "the peer wrote where this side does not permit it";
    case IBV_WC_REM_INV_REQ_ERR: return "the peer's adapter refused the request as invalid";
    case IBV_WC_REM_ACCESS_ERR: return "the peer does not permit access to that memory: the offer is stale or too small";
    case IBV_WC_REM_OP_ERR: return "the peer's adapter failed to carry out the request";
    case IBV_WC_RETRY_EXC_ERR: return "the peer's adapter does not answer: is the host up, and the cable in?";
    case IBV_WC_RNR_RETRY_EXC_ERR: return "the peer had no receive posted for too long";
    case IBV_WC_LOC_EEC_OP_ERR: return "the adapter refused a request as inconsistent with its context: this is an error of rdsco";
    case IBV_WC_LOC_RDD_VIOL_ERR: return "the domains of a reliable datagram differ: this is an error of rdsco";
    case IBV_WC_REM_INV_RD_REQ_ERR: return "the peer's adapter refused a reliable datagram";
    case IBV_WC_REM_ABORT_ERR: return "the peer's adapter gave the request up";
    case IBV_WC_INV_EECN_ERR: return "the adapter knows no such end-to-end context";
    case IBV_WC_INV_EEC_STATE_ERR: return "an end-to-end context of the adapter is in the wrong state";
    case IBV_WC_FATAL_ERR: return "the adapter failed; its kernel messages say why";
    case IBV_WC_RESP_TIMEOUT_ERR: return "the peer's adapter did not answer in time";
    case IBV_WC_GENERAL_ERR: return "the adapter reports an error that it has no name for";
    case IBV_WC_TM_ERR: return "the adapter failed to match a tag";
    case IBV_WC_TM_RNDV_INCOMPLETE: return "the adapter left a tagged message incomplete";
    default: return nullptr;
  }
}

// Only what an enumeration can hold may become one.
bool known(int value) noexcept { return value >= IBV_WC_SUCCESS && value <= IBV_WC_TM_RNDV_INCOMPLETE; }

class completion_error_category final : public std::error_category {
 public:
  char const* name() const noexcept override { return "rdsco.verbs"; }
  std::string message(int value) const override {
    char const* const text = known(value) ? text_of(static_cast<ibv_wc_status>(value)) : nullptr;
    return text != nullptr ? text : "the adapter reports status " + std::to_string(value) + ", which these verbs do not know";
  }
  std::error_condition default_error_condition(int value) const noexcept override {
    if (!known(value)) return std::errc::io_error;
    switch (static_cast<ibv_wc_status>(value)) {
      case IBV_WC_SUCCESS: return {};
      case IBV_WC_LOC_LEN_ERR: return std::errc::message_size;
      case IBV_WC_LOC_QP_OP_ERR:
      case IBV_WC_REM_INV_REQ_ERR:
      case IBV_WC_LOC_EEC_OP_ERR: return std::errc::invalid_argument;
      case IBV_WC_LOC_PROT_ERR:
      case IBV_WC_LOC_ACCESS_ERR: return std::errc::bad_address;
      case IBV_WC_MW_BIND_ERR:
      case IBV_WC_REM_ACCESS_ERR: return std::errc::permission_denied;
      case IBV_WC_WR_FLUSH_ERR: return std::errc::operation_canceled;
      case IBV_WC_RETRY_EXC_ERR: return std::errc::host_unreachable;
      case IBV_WC_RNR_RETRY_EXC_ERR: return std::errc::no_buffer_space;
      case IBV_WC_RESP_TIMEOUT_ERR: return std::errc::timed_out;
      default: return std::errc::io_error;
    }
  }
};

}  // namespace

std::error_category const& completion_category() noexcept {
  static completion_error_category const only;
  return only;
}

errc outcome_of(ibv_wc_status status) noexcept {
  switch (status) {
    case IBV_WC_SUCCESS: return {};
    case IBV_WC_REM_ACCESS_ERR: return errc::remote_access;
    case IBV_WC_WR_FLUSH_ERR:
    case IBV_WC_RETRY_EXC_ERR:
    case IBV_WC_RNR_RETRY_EXC_ERR: return errc::operation_dropped;
    default: return errc::remote_failed;
  }
}

}  // namespace rdsco::verbs
