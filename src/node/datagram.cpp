// SPDX-License-Identifier: BSD-2-Clause
#include "node/datagram.hpp"

#include "memory/block_pool.hpp"

#include <cstring>
#include <new>

namespace rdsco::detail {

datagram* datagram::make(block_pool& pool, std::size_t payload) noexcept {
  void* const memory = pool.allocate(sizeof(datagram) + payload);
  if (memory == nullptr) return nullptr;
  auto* const made = ::new (memory) datagram;
  made->pool = &pool;
  made->length = static_cast<std::uint32_t>(payload);
  made->bytes = made->storage();
  return made;
}

bool datagram::take_payload_over() noexcept {
  if (gathered.empty() && (length == 0 || bytes == storage())) return true;
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

void datagram::free(datagram* taken) noexcept {
  block_pool* const pool = taken->pool;
  if (taken->own_payload != nullptr) pool->release(taken->own_payload);
  taken->~datagram();
  pool->release(taken);
}

}  // namespace rdsco::detail
