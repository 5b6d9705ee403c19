// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "transports/verbs/fabric.hpp"

#include <string_view>

namespace rdsco::detail {

/// InfiniBand and RoCE.
struct ib_fabric {
  static constexpr std::string_view name = "ib";
  static constexpr fabric_capabilities capabilities = [] {
    fabric_capabilities can;
    can.node_type = IBV_NODE_CA;
    return can;
  }();
};

}  // namespace rdsco::detail
