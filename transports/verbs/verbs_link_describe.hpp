// SPDX-License-Identifier: BSD-2-Clause
#pragma once

// What the tables say of a connection over verbs: included by verbs_link.hpp.
#include "transports/verbs/verbs_link.hpp"

#include <string>

namespace rdsco::detail {

template <verbs_fabric Fabric>
void verbs_link<Fabric>::describe_ib(ib_row& row) const {
  row.local = by_.key.local;
  row.peer = by_.key.peer;
  row.type_of_service = by_.key.type_of_service;
  row.transport = Fabric::name;
  row.stage = stage_name();
  if (trouble_) row.trouble = trouble_.message();
  row.vendor_error = vendor_error_;
  if (device_ == nullptr) return;
  row.device = api_.device_name(device_->native());
  row.sends = rings_.sends;
  row.receives = rings_.receives;
  row.elements = 1;
  if (stage_ != stage::established) return;
  row.version = std::to_string(version_.major) + '.' + std::to_string(version_.minor);
  row.connected_by_us = connected_by_us_;
  if constexpr (can.credits) {
    row.credits = credits_.available();
    row.credits_to_tell = credits_.unadvertised();
  }
  owner_.describe_path(by_.key.local, id_, pair_, row);
}

template <verbs_fabric Fabric>
char const* verbs_link<Fabric>::stage_name() const noexcept {
  switch (stage_) {
    case stage::none: return "down";
    case stage::resolving_address: return "resolving the address";
    case stage::resolving_route: return "resolving the route";
    case stage::connecting: return connected_by_us_ ? "asking" : "accepting";
    case stage::established: return "up";
    case stage::ended: break;
  }
  return "ending";
}

}  // namespace rdsco::detail
