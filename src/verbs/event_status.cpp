// SPDX-License-Identifier: BSD-2-Clause
#include "verbs/event_status.hpp"

#include <string>

namespace rdsco::verbs {

namespace {

class device_event_category final : public std::error_category {
 public:
  char const* name() const noexcept override { return "rdsco.verbs.device"; }
  std::string message(int value) const override {
    switch (value - 1) {
      case IBV_EVENT_CQ_ERR: return "the adapter lost completions of the connection: its completion queue failed";
      case IBV_EVENT_QP_FATAL: return "the adapter failed in the middle of the connection; its kernel messages may say why";
      case IBV_EVENT_QP_REQ_ERR: return "the peer's adapter sent a request that makes no sense";
      case IBV_EVENT_QP_ACCESS_ERR: return "the peer wanted to reach memory where this side does not permit it";
      case IBV_EVENT_DEVICE_FATAL: return "the adapter failed as a whole; its kernel messages say why, and it is used again once it is back";
      default: return "the adapter reports event " + std::to_string(value - 1);
    }
  }
  std::error_condition default_error_condition(int value) const noexcept override {
    switch (value - 1) {
      case IBV_EVENT_QP_REQ_ERR: return std::errc::protocol_error;
      case IBV_EVENT_QP_ACCESS_ERR: return std::errc::permission_denied;
      case IBV_EVENT_DEVICE_FATAL: return std::errc::no_such_device;
      default: return std::errc::io_error;
    }
  }
};

}  // namespace

std::error_category const& event_category() noexcept {
  static device_event_category const only;
  return only;
}

device_event::kind kind_of(ibv_event_type type) noexcept {
  using kind = device_event::kind;
  switch (type) {
    case IBV_EVENT_QP_FATAL:
    case IBV_EVENT_QP_REQ_ERR:
    case IBV_EVENT_QP_ACCESS_ERR: return kind::pair_failed;
    case IBV_EVENT_CQ_ERR: return kind::queue_failed;
    case IBV_EVENT_COMM_EST: return kind::peer_heard;
    case IBV_EVENT_DEVICE_FATAL: return kind::device_failed;
    case IBV_EVENT_PORT_ACTIVE: return kind::port_up;
    case IBV_EVENT_PORT_ERR: return kind::port_down;
    case IBV_EVENT_LID_CHANGE:
    case IBV_EVENT_PKEY_CHANGE:
    case IBV_EVENT_SM_CHANGE:
    case IBV_EVENT_CLIENT_REREGISTER:
    case IBV_EVENT_GID_CHANGE: return kind::port_changed;
    default: return kind::other;
  }
}

}  // namespace rdsco::verbs
