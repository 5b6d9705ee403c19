// SPDX-License-Identifier: BSD-2-Clause
#include "node/remote_extensions.hpp"

#include "node/offer_core.hpp"

#include <rdsco/detail/check.hpp>
#include <rdsco/detail/remote_work.hpp>

namespace rdsco::detail {

remote_extensions::remote_extensions(std::span<std::byte const, protocol::extension_bytes> area) noexcept {
  auto const values = protocol::parse_extensions(area);
  used = values.rdma_key;
  bool const ends_with_send = (values.offer_flags.value_or(0) & protocol::offer_flag::ends_with_send) != 0;
  if (values.rdma_destination) offered = offer{values.rdma_destination->key, values.rdma_destination->offset, ends_with_send};
  if (values.wide_destination) offered = offer{values.wide_destination->key, values.wide_destination->address, false};
}

std::array<std::byte, protocol::extension_bytes> extensions_of(datagram const& one, bool whole_addresses) noexcept {
  protocol::extension_list made;
  bool fits = true;
  // As the kernel: atomics say nothing of themselves.
  if (one.work != nullptr && !is_atomic(one.work->what)) fits = made.append_rdma(one.work->key);
  if (one.offered != nullptr && one.offered->open()) {
    if (whole_addresses) {
      fits &= made.append_wide_destination({one.offered->key, one.offered->address});
    } else {
      fits &= made.append_rdma_destination({one.offered->key, static_cast<std::uint32_t>(one.offered->address)});
      if (one.offered->ends_with_send) fits &= made.append_offer_flags(protocol::offer_flag::ends_with_send);
    }
  }
  RDSCO_CHECK(fits, "what a datagram says of remote memory does not fit its header");
  return made.bytes();
}

}  // namespace rdsco::detail
