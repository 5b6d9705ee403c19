// SPDX-License-Identifier: BSD-2-Clause
#include "transports/ib/fabric.hpp"
#include "transports/verbs/typed_transport.hpp"

#include <rdsco/verbs/ib.hpp>

namespace rdsco {

std::unique_ptr<detail::transport> ib::make(detail::node_core& node) {
  return std::make_unique<detail::typed_verbs_transport<detail::ib_fabric>>(node, verbs::make_system_api());
}

}  // namespace rdsco
