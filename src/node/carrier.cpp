// SPDX-License-Identifier: BSD-2-Clause
#include "node/carrier.hpp"

#include "node/offer_core.hpp"

namespace rdsco::detail {

void carrier::close_offer(offer_core& over) noexcept { over.gone(); }

task<result<region_core*>> transport::register_memory(local_host&, mutable_buffer) { co_return errc::not_supported; }

}  // namespace rdsco::detail
