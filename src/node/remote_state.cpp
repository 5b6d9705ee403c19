// SPDX-License-Identifier: BSD-2-Clause
#include <rdsco/detail/remote_state.hpp>

#include "node/node_core.hpp"
#include "node/region_core.hpp"
#include "node/socket_core.hpp"

#include <utility>

namespace rdsco::detail {

namespace {

// The peer's program is told nothing.
bool is_silent(const_buffers const& then, rdma_options const& options) noexcept { return options.silent && then.size() == 0; }

}  // namespace

remote_state::remote_state(socket_core* from, const_buffers const& then, remote_memory const& peer, std::uint64_t offset,
                           remote_operation what, rdma_options const& options) noexcept
    : send_state(from, then, is_silent(then, options) ? endpoint(peer.from_.host, 0) : peer.from_, true),
      work_(*this),
      options_(options) {
  work_.what = what;
  work_.key = peer.key_;
  work_.epoch = peer.epoch_;
  work_.address = peer.address_ + offset;
  along_.silent = is_silent(then, options);
  work_.ends_key = peer.ends_with_send_ && !is_atomic(what) && !along_.silent;
  if (offset > ~peer.address_) refused_ = errc::invalid_range;
  work_.let_go = &memory_free;
  along_.work = &work_;
  along = &along_;
  finished = &datagram_ended;
}

// What can be said without the connection.
errc remote_state::check() const noexcept {
  if (refused_ != errc()) return refused_;
  for (region_slice const& each : work_.local)
    if (each.core() == nullptr) return errc::not_registered;
  if (is_atomic(work_.what) && work_.address % sizeof(std::uint64_t) != 0) return errc::invalid_range;
  return !is_atomic(work_.what) && work_.bytes() == 0 ? errc::invalid_range : errc();
}

bool remote_state::begin() noexcept {
  if (from() == nullptr) return outcome = errc::not_bound, true;
  outcome = check();
  if (outcome != errc()) return true;
  pin();
  if (!send_state::attempt()) return false;
  datagram_over_ = true;
  unpin();
  return true;
}

void remote_state::datagram_ended(send_state& self) noexcept {
  auto& mine = static_cast<remote_state&>(self);
  mine.datagram_over_ = true;
  if (mine.work_.on_adapter) return;
  mine.unpin();
  mine.completed(mine);
}

void remote_state::memory_free(remote_work& work) noexcept {
  auto& mine = static_cast<own_work&>(work).of;
  if (!mine.datagram_over_) return;
  mine.unpin();
  mine.completed(mine);
}

bool remote_state::give_up() noexcept {
  // Who was told already that it ended has only to be resumed.
  if (datagram_over_) return false;
  connection* const by = sent == nullptr ? nullptr : sent->by;
  send_state::abandon();
  datagram_over_ = true;
  if (!work_.on_adapter) {
    unpin();
    return true;
  }
  if (options_.flush_on_cancel && by != nullptr) by->by->break_off();
  return false;
}

void remote_state::pin() noexcept {
  pinned_ = true;
  for (region_slice const& each : work_.local) each.core()->pin();
}

void remote_state::unpin() noexcept {
  if (!std::exchange(pinned_, false)) return;
  for (region_slice const& each : work_.local) each.core()->unpin();
}

}  // namespace rdsco::detail
