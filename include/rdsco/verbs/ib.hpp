// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/transport.hpp>

#include <memory>
#include <string_view>

namespace rdsco {

/// RDS over InfiniBand and RoCE, as the Linux kernel speaks it. Link rdsco::verbs.
struct ib {
  static constexpr std::string_view name = "ib";
  static constexpr transport_capabilities capabilities = [] {
    transport_capabilities can;
    can.loopback = bridging::device;
    can.remote_memory = registration::fastreg;
    can.atomics = true;
    can.type_of_service = true;
    return can;
  }();
  [[nodiscard]] static std::unique_ptr<detail::transport> make(detail::node_core&);
};

}  // namespace rdsco
