// SPDX-License-Identifier: BSD-2-Clause
#include "node/connection.hpp"

#include "node/node_core.hpp"

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
    own_peer_map_ = std::make_unique<protocol::congestion_map>(first);
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

void connection::charge_overdraft(datagram& one) noexcept {
  one.by = this;
  overdraft_bytes_ += cost(one);
  if (reading_stopped_ || overdraft_bytes_ < node.options.limits.unread_bytes_per_peer) return;
  reading_stopped_ = true;
  ++node.counted.rdsco_reading_stopped;
}

void connection::settle_overdraft(datagram& one) noexcept {
  one.by = nullptr;
  overdraft_bytes_ -= cost(one);
  if (!reading_stopped_ || overdraft_bytes_ > node.options.limits.unread_bytes_per_peer / 2) return;
  reading_stopped_ = false;
  by->reading_allowed();
}

}  // namespace rdsco::detail
