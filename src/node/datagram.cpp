// SPDX-License-Identifier: BSD-2-Clause
#include "node/datagram.hpp"

#include "node/offer_core.hpp"

#include <cstring>
#include <utility>

namespace rdsco::detail {

bool datagram::copy_payload() noexcept {
  own_payload = pool->allocate(length);
  if (own_payload == nullptr) return false;
  const_buffer one;
  auto* to = static_cast<std::byte*>(own_payload);
  for (auto const& part : parts(one)) {
    if (!part.empty()) std::memcpy(to, part.data(), part.size());
    to += part.size();
  }
  bytes = static_cast<std::byte const*>(own_payload);
  gathered = {};
  return true;
}

void datagram::drop_offer() noexcept { std::exchange(offered, nullptr)->let_go(); }

}  // namespace rdsco::detail
