// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "protocol/checksum.hpp"
#include "protocol/cm_private_data.hpp"
#include "protocol/header.hpp"
#include "verbs/fake_fabric.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace rdsco::test {

/// A SEND as RDS has it: header, checksum, payload.
inline std::vector<std::byte> frame_of(protocol::header const& head, std::size_t payload = 0) {
  std::vector<std::byte> made(protocol::header_bytes + payload);
  std::span<std::byte, protocol::header_bytes> const start(made.data(), protocol::header_bytes);
  protocol::encode(head, start);
  protocol::seal<protocol::checksum_rule::always>(start);
  return made;
}

/// A peer on the fake fabric that does exactly what its test says, without a loop: it asks, it sends any bytes, it looks.
class raw_verbs_peer {
 public:
  raw_verbs_peer(fake_fabric& fabric, address const& own) : own_(own), api_(fabric.host({own})) {
    static_cast<void>(api_->open_events(events_));
  }
  ~raw_verbs_peer() {
    end();
    api_->close_events(events_);
  }
  raw_verbs_peer(raw_verbs_peer const&) = delete;
  raw_verbs_peer& operator=(raw_verbs_peer const&) = delete;

  /// Asks `to` for a connection with these bytes.
  void connect(endpoint const& to, std::span<std::byte const> told) {
    end();
    static_cast<void>(api_->create_id(events_, nullptr, id_));
    static_cast<void>(api_->resolve_address(id_, endpoint(own_, 0), to, 0));
    static_cast<void>(api_->resolve_route(id_, 0));
    make_pair();
    verbs::cm_parameters with;
    with.private_data = told;
    static_cast<void>(api_->connect(id_, with));
  }
  /// As an rdsco node would, with what the test changes of it.
  void connect(endpoint const& to, protocol::cm_private_data const& told) {
    std::array<std::byte, protocol::cm_private_v4_bytes> bytes{};
    protocol::encode_v4(told, bytes);
    connect(to, bytes);
  }
  [[nodiscard]] protocol::cm_private_data honest(address const& peer) const {
    protocol::cm_private_data made;
    made.source = own_.bytes();
    made.destination = peer.bytes();
    return made;
  }

  /// What the connection manager said about the connection, if it was this.
  [[nodiscard]] std::optional<verbs::cm_event> heard(verbs::cm_event::kind what) {
    verbs::cm_event event;
    while (api_->next_event(events_, event) == 0) heard_.push_back(event);
    auto const found = std::ranges::find(heard_, what, &verbs::cm_event::what);
    if (found == heard_.end()) return std::nullopt;
    return *found;
  }

  /// 0 or -errno.
  int send(std::vector<std::byte> bytes) {
    reap();
    auto& kept = frames_.emplace_back(std::move(bytes), nullptr);
    static_cast<void>(api_->register_memory(domain_, kept.bytes.data(), kept.bytes.size(), 0, kept.region));
    ibv_sge from{};
    from.addr = reinterpret_cast<std::uintptr_t>(kept.bytes.data());
    from.length = static_cast<std::uint32_t>(kept.bytes.size());
    from.lkey = kept.region->lkey;
    ibv_send_wr request{};
    request.sg_list = &from;
    request.num_sge = 1;
    request.opcode = IBV_WR_SEND;
    request.send_flags = IBV_SEND_SIGNALED | IBV_SEND_SOLICITED;
    int const failed = api_->post_send(pair_, &request);
    if (failed != 0) {
      static_cast<void>(api_->deregister_memory(kept.region));
      frames_.pop_back();
    }
    return failed;
  }

  void end() {
    if (pair_ != nullptr) api_->destroy_queue_pair(id_);
    if (queue_ != nullptr) static_cast<void>(api_->destroy_queue(queue_));
    if (channel_ != nullptr) static_cast<void>(api_->destroy_channel(channel_));
    if (id_ != nullptr) api_->destroy_id(id_);
    while (!frames_.empty()) forget_first();
    if (scratch_region_ != nullptr) static_cast<void>(api_->deregister_memory(scratch_region_));
    if (domain_ != nullptr) static_cast<void>(api_->release_domain(domain_));
    pair_ = nullptr;
    queue_ = nullptr;
    channel_ = nullptr;
    id_ = nullptr;
    scratch_region_ = nullptr;
    domain_ = nullptr;
    heard_.clear();
  }

 private:
  static constexpr std::uint32_t requests = 64;

  struct frame {
    frame(std::vector<std::byte> of, ibv_mr* in) : bytes(std::move(of)), region(in) {}
    std::vector<std::byte> bytes;
    ibv_mr* region;
  };

  void make_pair() {
    static_cast<void>(api_->allocate_domain(id_->verbs, domain_));
    static_cast<void>(api_->register_memory(domain_, scratch_.data(), scratch_.size(), IBV_ACCESS_LOCAL_WRITE, scratch_region_));
    static_cast<void>(api_->create_channel(id_->verbs, channel_));
    static_cast<void>(api_->create_queue(id_->verbs, 2 * requests, nullptr, channel_, queue_));
    ibv_qp_init_attr attributes{};
    attributes.send_cq = attributes.recv_cq = queue_;
    attributes.cap.max_send_wr = attributes.cap.max_recv_wr = requests;
    attributes.cap.max_send_sge = attributes.cap.max_recv_sge = 1;
    static_cast<void>(api_->create_queue_pair(id_, domain_, attributes, pair_));
    for (std::uint32_t at = 0; at < requests; ++at) post_receive();
  }
  void post_receive() {
    ibv_sge into{};
    into.addr = reinterpret_cast<std::uintptr_t>(scratch_.data());
    into.length = static_cast<std::uint32_t>(scratch_.size());
    into.lkey = scratch_region_->lkey;
    ibv_recv_wr request{};
    request.sg_list = &into;
    request.num_sge = 1;
    static_cast<void>(api_->post_receive(pair_, &request));
  }
  void forget_first() {
    static_cast<void>(api_->deregister_memory(frames_.front().region));
    frames_.pop_front();
  }
  void reap() {
    std::array<ibv_wc, 16> done{};
    for (int count = 1; count > 0;) {
      count = api_->poll(queue_, done);
      for (int at = 0; at < count; ++at) {
        ibv_wc const& one = done[static_cast<std::size_t>(at)];
        if ((one.opcode & IBV_WC_RECV) == 0) {
          forget_first();
        } else if (one.status == IBV_WC_SUCCESS) {
          post_receive();
        }
      }
    }
  }

  address const own_;
  std::unique_ptr<verbs::api> api_;
  rdma_event_channel* events_ = nullptr;
  ibv_pd* domain_ = nullptr;
  ibv_mr* scratch_region_ = nullptr;
  ibv_comp_channel* channel_ = nullptr;
  ibv_cq* queue_ = nullptr;
  rdma_cm_id* id_ = nullptr;
  ibv_qp* pair_ = nullptr;
  std::array<std::byte, 8192> scratch_{};
  std::list<frame> frames_;  // the adapter reads them
  std::vector<verbs::cm_event> heard_;
};

}  // namespace rdsco::test
