// SPDX-License-Identifier: BSD-2-Clause
#include "transports/verbs/offer_keys.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace rdsco::detail {

namespace {

unsigned remote_access_of(access may) noexcept {
  unsigned flags = 0;
  if (permits(may, access::read)) flags |= IBV_ACCESS_REMOTE_READ;
  if (permits(may, access::write)) flags |= IBV_ACCESS_REMOTE_WRITE;
  if (permits(may, access::atomic)) flags |= IBV_ACCESS_REMOTE_ATOMIC;
  return flags;
}

verbs_region& region_of(offer_core const& offered) noexcept { return static_cast<verbs_region&>(offered.region()); }
ibv_mw* window_of(offer_core const& offered) noexcept { return static_cast<ibv_mw*>(offered.held); }

}  // namespace

using windows = offer_keys<registration::fastreg>;
using slots = offer_keys<registration::fmr>;

errc windows::ready(offer_core& offered, verbs::device& on, std::uint32_t epoch, send_ring& sends) noexcept {
  if (offered.held != nullptr && offered.epoch == epoch) return {};
  verbs_region const& region = region_of(offered);
  ibv_mw* window = nullptr;
  // The adapter has been exchanged since, or the route leads to another one.
  if (&region.device() != &on) return errc::not_registered;
  if (on.windows().take(on.domain(), window) != 0) return errc::limit_reached;
  ibv_send_wr& request = sends.put_request(false);
  request.opcode = IBV_WR_BIND_MW;
  request.bind_mw.mw = window;
  request.bind_mw.rkey = ibv_inc_rkey(window->rkey);
  request.bind_mw.bind_info.mr = region.native();
  request.bind_mw.bind_info.addr = reinterpret_cast<std::uintptr_t>(offered.data());
  request.bind_mw.bind_info.length = offered.bytes;
  request.bind_mw.bind_info.mw_access_flags = remote_access_of(offered.terms.may) | IBV_ACCESS_ZERO_BASED;
  offered.held = window;
  offered.key = request.bind_mw.rkey;
  offered.address = 0;
  offered.ends_with_send = offered.terms.use_once && on.sends_invalidate();
  offered.epoch = epoch;
  offered.request = request.wr_id;
  return {};
}

bool windows::close(offer_core& over, std::uint32_t epoch) noexcept {
  if (over.held == nullptr || over.epoch != epoch) {
    take_away(over);
    return false;
  }
  to_revoke_.push_back(over);
  return true;
}

void windows::revoke(send_ring& sends) noexcept {
  for (auto at = to_revoke_.begin(); at != to_revoke_.end();) {
    offer_core& over = *at++;
    if (over.ends_with_send) {
      // A send of the peer may end its key at any moment. A request that comes later would fail and take the connection along; freeing the
      // window does not, once it is bound.
      if (over.request < sends.done()) take_away(over);
      continue;
    }
    if (sends.room() <= 1) return;
    to_revoke_.remove(over);
    ibv_send_wr& request = sends.put_request(true);
    request.opcode = IBV_WR_LOCAL_INV;
    // Behind all that may have to be sent again: device::repeats_requests().
    request.send_flags |= IBV_SEND_FENCE;
    request.invalidate_rkey = over.key;
    over.request = request.wr_id;
    revoking_.push_back(over);
  }
}

bool windows::revoke_at_once(offer_core& over, std::uint64_t done) noexcept {
  bool const under_way = over.request >= done || std::any_of(revoking_.begin(), revoking_.end(), [&](offer_core& each) { return &each == &over; });
  if (under_way) return false;
  take_away(over);
  return true;
}

void windows::take_away(offer_core& over) noexcept {
  static_cast<list_hook<by_carrier>&>(over).unlink();
  forget(over);
  over.gone();
}

void windows::ended_by_peer(connection& by, std::uint32_t key) noexcept {
  for (offer_core& each : by.offers) {
    bool const being_revoked = static_cast<list_hook<by_carrier>&>(each).linked();
    if (each.held == nullptr || each.key != key || being_revoked) continue;
    ibv_mw* const window = static_cast<ibv_mw*>(std::exchange(each.held, nullptr));
    window->rkey = key;
    region_of(each).device().windows().give_back(window);
    return each.end({});
  }
}

void windows::completed(std::uint64_t done) noexcept {
  while (!revoking_.empty() && revoking_.front().request < done) {
    offer_core& over = *revoking_.pop_front();
    // The next binding has to have another key.
    window_of(over)->rkey = over.key;
    region_of(over).device().windows().give_back(window_of(over));
    over.held = nullptr;
    over.gone();
  }
}

// A binding that an adapter refuses would be refused on the next connection too.
void windows::failed(connection& by, std::uint64_t request) noexcept {
  for (offer_core& each : by.offers)
    if (each.open() && each.held != nullptr && each.request == request) return each.end(errc::remote_failed);
}

void windows::connection_gone(connection& by) noexcept {
  for (auto at = by.offers.begin(); at != by.offers.end();) {
    offer_core& one = *at++;
    if (one.held == nullptr) continue;
    if (!one.open()) {
      take_away(one);
      continue;
    }
    forget(one);
    if (one.delivered) one.end(errc::stale_offer);
  }
}

// What it knew of an earlier one it will not be told again.
void windows::told_of_earlier(connection& by) noexcept {
  for (auto at = by.offers.begin(); at != by.offers.end();) {
    offer_core& one = *at++;
    if (one.open() && one.delivered && one.held == nullptr) one.end(errc::stale_offer);
  }
}

// Whether it is bound, and to what, nobody knows any more.
void windows::forget(offer_core& one) noexcept {
  if (one.held != nullptr) region_of(one).device().windows().destroy(static_cast<ibv_mw*>(std::exchange(one.held, nullptr)));
}

errc slots::open(offer_core& offered, bool addresses_chosen) noexcept {
  verbs_region const& region = region_of(offered);
  verbs::device& on = region.device();
  auto const where = reinterpret_cast<std::uintptr_t>(offered.data());
  std::uint64_t const first = addresses_chosen ? where % 4096 : where;
  unsigned const remote = remote_access_of(offered.terms.may);
  bool const written = (remote & (IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_ATOMIC)) != 0;
  unsigned const flags = remote | (written ? unsigned{IBV_ACCESS_LOCAL_WRITE} : 0u);
  verbs::slot* taken = nullptr;
  int const failed = on.slots().take(on.domain(), offered.data(), offered.bytes, first, static_cast<int>(flags), offered.to(), taken);
  if (failed == -ENOSPC) return errc::limit_reached;
  if (failed != 0) return failed == -ENOMEM ? errc::locked_memory_limit : errc::not_supported;
  offered.held = taken;
  offered.key = taken->native->rkey;
  offered.address = first;
  return {};
}

bool slots::close(offer_core& over, std::uint32_t) noexcept {
  if (over.held != nullptr) region_of(over).device().slots().give_back(*static_cast<verbs::slot*>(std::exchange(over.held, nullptr)), over.terms.invalidate);
  over.gone();
  return false;
}

}  // namespace rdsco::detail
