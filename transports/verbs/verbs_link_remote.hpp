// SPDX-License-Identifier: BSD-2-Clause
#pragma once

// Remote memory over verbs: offers that datagrams carry, and operations that go before them. Included by verbs_link.hpp.
#include "node/remote_extensions.hpp"
#include "transports/verbs/verbs_link.hpp"
#include "verbs/poison.hpp"
#include "verbs/status.hpp"

#include <algorithm>
#include <cstring>

namespace rdsco::detail {

template <verbs_fabric Fabric>
errc verbs_link<Fabric>::open_offer(offer_core& offered) noexcept {
  if constexpr (!can.addresses_chosen) {
    auto const last = reinterpret_cast<std::uintptr_t>(offered.data()) + offered.bytes;
    if (last > protocol::wide_address_max) return errc::invalid_range;
  }
  return keys_.open(offered, can.addresses_chosen);
}

template <verbs_fabric Fabric>
void verbs_link<Fabric>::close_offer(offer_core& over) noexcept {
  if (keys_.close(over, by_.lane.epoch)) signal_.raise(event_work);
}

template <verbs_fabric Fabric>
errc verbs_link<Fabric>::check_work(remote_work const& work) noexcept {
  for (region_slice const& each : work.local)
    if (device_ != nullptr && &static_cast<verbs_region*>(each.core())->device() != device_) return errc::not_registered;
  return {};
}

// What a datagram takes along is made ready. False: it is not sent now, or not at all.
template <verbs_fabric Fabric>
bool verbs_link<Fabric>::ready_to_send(datagram& head) noexcept {
  if (head.work != nullptr) {
    for (region_slice const& each : head.work->local) {
      if (each.core()->usable()) continue;
      by_.lane.drop(head, errc::not_registered);
      return false;
    }
  }
  if (head.offered == nullptr || !head.offered->open()) return true;
  if (sends_.room() <= keys::requests_max) return false;
  if (keys::requests_max != 0 && device_->repeats_requests() && !sends_.idle()) return false;
  // It still goes, for its payload.
  if (errc const why = keys_.ready(*head.offered, *device_, by_.lane.epoch, sends_); why != errc()) head.offered->end(why);
  return true;
}

// The operation before a datagram, as far as there is room. True: the datagram may follow.
template <verbs_fabric Fabric>
bool verbs_link<Fabric>::put_work(datagram& from) noexcept {
  remote_work* const work = from.work;
  while (work != nullptr && !work->handed_over) {
    if (sends_.room() == 0) return false;
    if (!work->on_adapter) {
      work->on_adapter = true;
      working_.push_back(*work);
      if (work->what == remote_operation::read)
        for (region_slice const& each : work->local) verbs::poison(each.data(), each.size());
    }
    if (work->done == 0) work->first_request = sends_.next();
    work->last_request = put_piece(*work);
  }
  return true;
}

// One request of one element: what the least of adapters can read into.
template <verbs_fabric Fabric>
std::uint64_t verbs_link<Fabric>::put_piece(remote_work& work) noexcept {
  // As much as a datagram may have, so that other work is not held up for longer.
  constexpr std::size_t piece_bytes_max = 1u << 20;
  ibv_send_wr& request = sends_.put_request(false);
  request.num_sge = 1;
  if constexpr (can.atomics) {
    if (is_atomic(work.what)) {
      *request.sg_list = sends_.element_of(request.wr_id, sizeof work.result);
      bool const adds = work.what == remote_operation::fetch_add;
      request.opcode = adds ? IBV_WR_ATOMIC_FETCH_AND_ADD : IBV_WR_ATOMIC_CMP_AND_SWP;
      request.wr.atomic.remote_addr = work.address;
      request.wr.atomic.rkey = work.key;
      request.wr.atomic.compare_add = adds ? work.operand : work.compare;
      request.wr.atomic.swap = work.operand;
      work.done = sizeof work.result;
      work.handed_over = true;
      return request.wr_id;
    }
  }
  // A request of no bytes means as many as can be to some adapters.
  while (work.local[work.slice].size() == 0) ++work.slice;
  region_slice const& from = work.local[work.slice];
  std::size_t const bytes = std::min(from.size() - work.slice_at, piece_bytes_max);
  request.sg_list->addr = reinterpret_cast<std::uintptr_t>(from.data() + work.slice_at);
  request.sg_list->length = static_cast<std::uint32_t>(bytes);
  request.sg_list->lkey = static_cast<verbs_region*>(from.core())->local_key();
  request.opcode = work.what == remote_operation::write ? IBV_WR_RDMA_WRITE : IBV_WR_RDMA_READ;
  request.wr.rdma.remote_addr = work.address + work.done;
  request.wr.rdma.rkey = work.key;
  if (work.what == remote_operation::read && device_->waits_without_answering()) sends_.hold_behind_last();
  work.done += bytes;
  work.slice_at += bytes;
  if (work.slice_at == from.size()) {
    ++work.slice;
    work.slice_at = 0;
  }
  while (work.slice < work.local.size() && work.local[work.slice].size() == 0) ++work.slice;
  work.handed_over = work.slice == work.local.size();
  return request.wr_id;
}

// The adapter has let go of the memory of every request that is done.
template <verbs_fabric Fabric>
void verbs_link<Fabric>::requests_done() noexcept {
  keys_.completed(sends_.done());
  if (keys_.anything_to_revoke()) signal_.raise(event_work);
  while (!working_.empty() && working_.front().last_request < sends_.done()) {
    // More requests of it are to come, for which its memory has to stay registered.
    if (sending_ != nullptr && sending_->work == &working_.front() && !work_put_) return;
    remote_work& work = *working_.pop_front();
    if constexpr (can.atomics) {
      if (is_atomic(work.what)) std::memcpy(&work.result, sends_.memory_of(work.last_request), sizeof work.result);
    }
    let_go(work);
  }
}

template <verbs_fabric Fabric>
void verbs_link<Fabric>::let_go(remote_work& work) noexcept {
  work.on_adapter = false;
  if (work.what == remote_operation::read)
    for (region_slice const& each : work.local) verbs::unpoison(each.data(), each.size());
  work.let_go(work);
}

// A request that failed says why its operation did; those behind it are flushed.
template <verbs_fabric Fabric>
void verbs_link<Fabric>::request_failed(std::uint64_t number, ibv_wc_status status) noexcept {
  errc const why = verbs::outcome_of(status);
  if (why == errc::operation_dropped) return;  // as everything on the connection is
  keys_.failed(by_, number);
  for (remote_work& each : working_)
    if (each.first_request <= number && number <= each.last_request)
      each.failure = why;
}

// With it goes every request. Windows go first: soft-RoCE keeps a queue pair that one is bound to.
template <verbs_fabric Fabric>
void verbs_link<Fabric>::destroy_pair() noexcept {
  keys_.connection_gone(by_);
  if (pair_ != nullptr) api_.destroy_queue_pair(id_);
  pair_ = nullptr;
  while (!working_.empty()) let_go(*working_.pop_front());
}

template <verbs_fabric Fabric>
void verbs_link<Fabric>::let_go_of(region_core& region) noexcept {
  if (pair_ == nullptr) return;
  bool used = false;
  for (auto at = region.offers.begin(); at != region.offers.end();) {
    offer_core& one = *at++;
    if (one.to() == &by_) used |= !keys_.revoke_at_once(one, sends_.done());
  }
  for (remote_work const& work : working_) used |= work.uses(region);
  if (!used) return;
  break_off();
  destroy_pair();
}

}  // namespace rdsco::detail
