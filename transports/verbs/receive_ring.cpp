// SPDX-License-Identifier: BSD-2-Clause
#include "transports/verbs/receive_ring.hpp"

#include <cerrno>
#include <new>
#include <numeric>

namespace rdsco::detail {

int receive_ring::open(ibv_pd* domain, std::uint32_t count) {
  try {
    free_.resize(count);
    kept_.resize(count);
    requests_.resize(count);
    elements_.resize(count);
  } catch (std::bad_alloc const&) {
    return -ENOMEM;
  }
  // Taken from the end.
  std::iota(free_.rbegin(), free_.rend(), 0u);
  return slots_.open(domain, count, IBV_ACCESS_LOCAL_WRITE);
}

void receive_ring::close() noexcept {
  for (std::uint32_t slot = 0; slot < slots_.count(); ++slot) arrived(slot);
  slots_.close();
  free_.clear();
  kept_count_ = 0;
}

int receive_ring::post(ibv_qp* pair) noexcept {
  std::size_t const count = free_.size();
  if (count == 0) return 0;
  for (std::size_t at = 0; at < count; ++at) {
    std::uint32_t const slot = free_[count - 1 - at];
    elements_[at] = slots_.element(slot, frame_slots::frame_bytes_max);
    requests_[at] = {};
    requests_[at].wr_id = slot | receive_mark;
    requests_[at].sg_list = &elements_[at];
    requests_[at].num_sge = 1;
    if (at != 0) requests_[at - 1].next = &requests_[at];
  }
  for (std::uint32_t const slot : free_) verbs::poison(slots_.at(slot), frame_slots::frame_bytes_max);
  int const failed = api_.post_receive(pair, requests_.data());
  if (failed != 0) return failed;
  free_.clear();
  return static_cast<int>(count);
}

}  // namespace rdsco::detail
