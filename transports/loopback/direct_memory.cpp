// SPDX-License-Identifier: BSD-2-Clause
#include "transports/loopback/direct_memory.hpp"

#include "node/connection.hpp"
#include "node/region_core.hpp"

#include <cstring>
#include <new>
#include <utility>

namespace rdsco::detail {

namespace {

// Both sides may lie in the same memory.
void move_bytes(remote_work const& work, std::byte* peers) noexcept {
  for (region_slice const& each : work.local) {
    bool const writes = work.what == remote_operation::write;
    std::memmove(writes ? peers : each.data(), writes ? each.data() : peers, each.size());
    peers += each.size();
  }
}

// One thread runs the loop, so nobody comes between.
void change(remote_work& work, std::byte* peers) noexcept {
  std::uint64_t value = 0;
  std::memcpy(&value, peers, sizeof value);
  work.result = value;
  if (work.what == remote_operation::fetch_add) value += work.operand;
  if (work.what == remote_operation::compare_swap && value == work.compare) value = work.operand;
  std::memcpy(peers, &value, sizeof value);
}

access wanted_by(remote_operation what) noexcept {
  if (is_atomic(what)) return access::atomic;
  return what == remote_operation::write ? access::write : access::read;
}

}  // namespace

errc direct_memory::add(offer_core& offered) noexcept {
  if (free_.empty()) {
    if (places_.size() >> place_bits != 0) return errc::limit_reached;
    try {
      free_.reserve(places_.size() + 1);
      places_.emplace_back();
    } catch (std::bad_alloc const&) {
      return errc::out_of_memory;
    }
    free_.push_back(static_cast<std::uint32_t>(places_.size() - 1));
  }
  std::uint32_t const at = free_.back();
  free_.pop_back();
  places_[at].offered = &offered;
  offered.key = (++places_[at].uses << place_bits) | at;
  offered.address = 0;
  offered.held = this;
  return {};
}

void direct_memory::remove(offer_core const& over) noexcept {
  std::uint32_t const at = over.key & ((1u << place_bits) - 1);
  places_[at].offered = nullptr;
  free_.push_back(at);
}

offer_core* direct_memory::find(std::uint32_t key) const noexcept {
  std::uint32_t const at = key & ((1u << place_bits) - 1);
  if (at >= places_.size()) return nullptr;
  offer_core* const found = places_[at].offered;
  return found != nullptr && found->key == key ? found : nullptr;
}

errc direct_memory::permitted(offer_core const& offered, remote_work const& work) noexcept {
  if (!offered.open() || !permits(offered.terms.may, wanted_by(work.what))) return errc::remote_access;
  if (work.address > offered.bytes || work.bytes() > offered.bytes - work.address) return errc::remote_access;
  if (!is_atomic(work.what)) return {};
  bool const aligned = reinterpret_cast<std::uintptr_t>(offered.data() + work.address) % sizeof(std::uint64_t) == 0;
  return aligned ? errc() : errc::remote_access;
}

errc direct_memory::carry_out(remote_work& work, connection const& peer) noexcept {
  for (region_slice const& each : work.local)
    if (!each.core()->usable()) return errc::not_registered;
  offer_core* const offered = find(work.key);
  // An offer is good for the one it was made to: what is its peer here is ourselves there.
  bool const ours = offered != nullptr && offered->to()->key.peer == peer.key.local && offered->to()->key.local == peer.key.peer;
  if (!ours) return errc::remote_access;
  if (errc const why = permitted(*offered, work); why != errc()) return why;
  if (is_atomic(work.what)) {
    change(work, offered->data() + work.address);
  } else {
    move_bytes(work, offered->data() + work.address);
  }
  return {};
}

}  // namespace rdsco::detail
