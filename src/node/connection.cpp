// SPDX-License-Identifier: BSD-2-Clause
#include "node/connection.hpp"

#include "node/node_core.hpp"

#include <new>

namespace rdsco::detail {

connection::connection(node_core& in, local_host& at, connection_key const& of, std::uint64_t first_sequence) noexcept
    : node(in), host(at), key(of), lane(*this, first_sequence) {}

void connection::load_peer_map(protocol::congestion_map::wire_bytes from) noexcept {
  ++node.counted.cong_update_received;
  if (own_peer_map_ == nullptr) {
    // Nearly every peer announces an empty map and never another.
    protocol::congestion_map first;
    first.load(from);
    if (!first.any()) return;
    // Without memory for it the peer's ports count as free, as before a map arrives.
    own_peer_map_.reset(new (std::nothrow) protocol::congestion_map(first));
    peer_map_ = own_peer_map_.get();
    return;
  }
  if (own_peer_map_->load(from).any()) wake_port_waiters();
}

void connection::wake_port_waiters() noexcept {
  send_waiter_list woken;
  woken.splice_back(port_waiters_);
  while (send_waiter* const one = woken.pop_front()) one->retry(*one);
}

namespace {

// An empty datagram costs something too.
std::size_t cost(datagram const& one) noexcept { return one.length + sizeof(datagram); }

}  // namespace

void connection::hold_unread(datagram const& one) noexcept {
  unread_bytes_ += cost(one);
  if (over_share_ || unread_bytes_ < node.memory_share_of_peer()) [[likely]] return;
  over_share_ = true;
  ++node.counted.rdsco_reading_stopped_share;
}

void connection::release_unread(datagram const& one) noexcept {
  unread_bytes_ -= cost(one);
  if (!over_share_ || unread_bytes_ > node.memory_share_of_peer() / 2) [[likely]] return;
  over_share_ = false;
  if (may_read()) by->reading_allowed();
}

void connection::charge_overdraft(datagram const& one) noexcept {
  overdraft_bytes_ += cost(one);
  if (overdrawn_ || overdraft_bytes_ < node.options.limits.unread_bytes_per_peer) return;
  overdrawn_ = true;
  ++node.counted.rdsco_reading_stopped;
}

void connection::settle_overdraft(datagram const& one) noexcept {
  overdraft_bytes_ -= cost(one);
  if (!overdrawn_ || overdraft_bytes_ > node.options.limits.unread_bytes_per_peer / 2) return;
  overdrawn_ = false;
  if (may_read()) by->reading_allowed();
}

void connection::offer_used(std::uint32_t remote_key) noexcept {
  for (auto at = offers.begin(); at != offers.end();) {
    offer_core& one = *at++;
    // Without something that its carrier has for it, it has no key.
    if (one.open() && one.terms.use_once && one.held != nullptr && one.key == remote_key) return one.end({});
  }
}

}  // namespace rdsco::detail
