// SPDX-License-Identifier: BSD-2-Clause
#include "transports/verbs/send_ring.hpp"

#include "protocol/checksum.hpp"

#include <cerrno>
#include <new>

namespace rdsco::detail {

int send_ring::open(ibv_pd* domain, std::uint32_t count) {
  try {
    requests_.resize(count);
    elements_.resize(count);
  } catch (std::bad_alloc const&) {
    return -ENOMEM;
  }
  collected_ = 0;
  put_ = done_ = held_until_ = 0;
  return slots_.open(domain, count, IBV_ACCESS_LOCAL_WRITE);
}

std::span<std::byte> send_ring::begin(std::size_t payload) noexcept {
  payload_ = payload;
  return {slots_.at(static_cast<std::uint32_t>(put_ % slots_.count())) + protocol::header_bytes, payload};
}

ibv_send_wr& send_ring::collect() noexcept {
  ibv_send_wr& request = requests_[collected_] = {};
  request.wr_id = put_;
  request.sg_list = &elements_[collected_];
  if (put_ % told_every == 0) request.send_flags |= IBV_SEND_SIGNALED;
  if (collected_ != 0) requests_[collected_ - 1].next = &request;
  ++collected_;
  ++put_;
  return request;
}

void send_ring::finish(protocol::header const& head, bool announced, bool fenced) noexcept {
  auto const slot = static_cast<std::uint32_t>(put_ % slots_.count());
  std::span<std::byte, protocol::header_bytes> const start(slots_.at(slot), protocol::header_bytes);
  protocol::encode(head, start);
  protocol::seal<protocol::checksum_rule::always>(start);
  elements_[collected_] = slots_.element(slot, protocol::header_bytes + payload_);
  ibv_send_wr& request = collect();
  request.num_sge = 1;
  request.opcode = IBV_WR_SEND;
  if (announced) request.send_flags |= IBV_SEND_SOLICITED;
  if (fenced) request.send_flags |= IBV_SEND_FENCE;
}

ibv_send_wr& send_ring::put_request(bool told) noexcept {
  ibv_send_wr& request = collect();
  if (told) request.send_flags |= IBV_SEND_SIGNALED;
  return request;
}

int send_ring::post(ibv_qp* pair) noexcept {
  if (collected_ == 0) return 0;
  requests_[collected_ - 1].send_flags |= IBV_SEND_SIGNALED;
  collected_ = 0;
  return api_.post_send(pair, requests_.data());
}

}  // namespace rdsco::detail
