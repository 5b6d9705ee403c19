// SPDX-License-Identifier: BSD-2-Clause
#include "transports/verbs/verbs_region.hpp"

#include <utility>

namespace rdsco::detail {

int verbs_region::open(int access_flags) noexcept {
  return api_.register_memory(device_.domain(), memory().data(), memory().size(), access_flags, native_);
}

// What was lent of it first: a device keeps a region that something refers to.
void verbs_region::deregister() noexcept {
  device_.slots().flush_range(memory().data(), memory().size());
  if (native_ != nullptr) static_cast<void>(api_.deregister_memory(std::exchange(native_, nullptr)));
}

}  // namespace rdsco::detail
