// SPDX-License-Identifier: BSD-2-Clause
#include "node/port_table.hpp"

#include <utility>

namespace rdsco::detail {

void port_table::insert(std::uint16_t port, socket_core& socket) {
  make_room();
  std::size_t at = home(port);
  while (slots_[at].socket != nullptr) at = next(at);
  slots_[at] = {&socket, port};
  ++size_;
}

void port_table::grow() {
  std::vector<slot> const old = std::exchange(slots_, std::vector<slot>(slots_.empty() ? 16 : slots_.size() * 2));
  size_ = 0;
  for (slot const& here : old)
    if (here.socket != nullptr) insert(here.port, *here.socket);
}

void port_table::erase(std::uint16_t port) noexcept {
  std::size_t at = home(port);
  while (slots_[at].port != port || slots_[at].socket == nullptr) at = next(at);
  slots_[at] = {};
  --size_;
  // Whoever probed past the hole moves up, so that the chain has no gap.
  for (std::size_t probe = next(at); slots_[probe].socket != nullptr; probe = next(probe)) {
    std::size_t const wanted = home(slots_[probe].port);
    std::size_t const mask = slots_.size() - 1;
    if (((probe - wanted) & mask) < ((probe - at) & mask)) continue;
    slots_[at] = std::exchange(slots_[probe], slot{});
    at = probe;
  }
}

}  // namespace rdsco::detail
