// SPDX-License-Identifier: BSD-2-Clause
#include "transports/iwarp/fabric.hpp"
#include "transports/verbs/typed_transport.hpp"

#include <rdsco/verbs/iwarp.hpp>

namespace rdsco {

std::unique_ptr<detail::transport> iwarp::make(detail::node_core& node) {
  return std::make_unique<detail::typed_verbs_transport<detail::iwarp_fabric>>(node, verbs::make_system_api());
}

}  // namespace rdsco
