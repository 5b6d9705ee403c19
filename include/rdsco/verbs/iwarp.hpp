// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/transport.hpp>

#include <memory>
#include <string_view>

namespace rdsco {

/// RDS over iWARP, between rdsco nodes: no kernel speaks it any more. Link rdsco::verbs.
struct iwarp {
  static constexpr std::string_view name = "iwarp";
  static constexpr transport_capabilities capabilities = [] {
    transport_capabilities can;
    can.loopback = bridging::software;  // adapters do not loop RDMA back
    can.remote_memory = registration::fmr;
    return can;
  }();
  [[nodiscard]] static std::unique_ptr<detail::transport> make(detail::node_core&);
};

}  // namespace rdsco
