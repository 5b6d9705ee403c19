// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "support/nodes.hpp"
#include "verbs/fake_fabric.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace rdsco::test {

/// A request with its elements, as told apart by its number and told of.
struct bare_request {
  ibv_send_wr request{};
  std::vector<ibv_sge> elements;

  bare_request(ibv_wr_opcode opcode, std::uint64_t number, std::vector<ibv_sge> of = {}) : elements(std::move(of)) {
    request.opcode = opcode;
    request.wr_id = number;
    request.send_flags = IBV_SEND_SIGNALED;
  }
  [[nodiscard]] bare_request with(unsigned flags) const {
    bare_request made = *this;
    made.request.send_flags = flags;
    return made;
  }
  [[nodiscard]] bare_request fenced() const { return with(IBV_SEND_SIGNALED | IBV_SEND_FENCE); }
  [[nodiscard]] bare_request untold() const { return with(0); }
};

/// A host on a fake fabric without anything of rdsco above the table of calls: one domain, two queues, one queue pair.
class bare_host {
 public:
  bare_host(fake_fabric& fabric, std::string_view host) : own_(at(host)), api(fabric.host({own_})) {
    REQUIRE(api->open_events(events_) == 0);
    REQUIRE(api->create_id(events_, nullptr, listener_) == 0);
    REQUIRE(api->bind_address(listener_, here()) == 0);
    REQUIRE(api->listen(listener_, 1) == 0);
    device = api->device_of(listener_);
    REQUIRE(api->allocate_domain(device, domain) == 0);
    REQUIRE(api->create_channel(device, channel_) == 0);
    REQUIRE(api->create_queue(device, 256, nullptr, channel_, sends) == 0);
    REQUIRE(api->create_queue(device, 256, nullptr, channel_, receives) == 0);
  }
  ~bare_host() {
    end();
    REQUIRE(api->destroy_queue(receives) == 0);
    REQUIRE(api->destroy_queue(sends) == 0);
    REQUIRE(api->destroy_channel(channel_) == 0);
    REQUIRE(api->release_domain(domain) == 0);
    api->destroy_id(listener_);
    api->close_events(events_);
  }
  bare_host(bare_host const&) = delete;
  bare_host& operator=(bare_host const&) = delete;

  [[nodiscard]] endpoint here() const { return {own_, 18634}; }

  void connect(bare_host& to) {
    REQUIRE(api->create_id(events_, nullptr, id_) == 0);
    REQUIRE(api->resolve_address(id_, {own_, 0}, to.here(), 0) == 0);
    make_pair();
    REQUIRE(api->connect(id_, {}) == 0);
    to.accept();
    REQUIRE(heard(verbs::cm_event::kind::established));
  }
  void end() {
    if (pair != nullptr) api->destroy_queue_pair(id_);
    if (id_ != nullptr) api->destroy_id(id_);
    pair = nullptr;
    id_ = nullptr;
  }

  /// Another connection takes the place of this one, which its caller keeps.
  [[nodiscard]] rdma_cm_id* swap_connection(rdma_cm_id* other) {
    pair = other != nullptr ? static_cast<fake_id*>(other)->pair : nullptr;
    return std::exchange(id_, other);
  }
  int create_id(rdma_cm_id*& out) { return api->create_id(events_, nullptr, out); }

  /// Whether the connection manager said this; what it said before is forgotten.
  [[nodiscard]] bool heard(verbs::cm_event::kind what) {
    while (api->next_event(events_, last_) == 0)
      if (last_.what == what) return true;
    return false;
  }

  int post(std::vector<bare_request> all) {
    for (std::size_t at = 0; at < all.size(); ++at) {
      ibv_send_wr& request = all[at].request;
      request.sg_list = all[at].elements.data();
      request.num_sge = static_cast<int>(all[at].elements.size());
      if (at + 1 < all.size()) request.next = &all[at + 1].request;
    }
    return api->post_send(pair, &all.front().request);
  }
  int post_receive(ibv_sge into, std::uint64_t number = 0) {
    ibv_recv_wr request{};
    request.wr_id = number;
    request.sg_list = &into;
    request.num_sge = 1;
    return api->post_receive(pair, &request);
  }
  [[nodiscard]] std::vector<ibv_wc> told(ibv_cq* queue) {
    std::vector<ibv_wc> all(256);
    int const count = api->poll(queue, all);
    REQUIRE(count >= 0);
    all.resize(static_cast<std::size_t>(count));
    return all;
  }
  [[nodiscard]] std::vector<ibv_wc_status> statuses(ibv_cq* queue) {
    std::vector<ibv_wc_status> all;
    for (ibv_wc const& each : told(queue)) all.push_back(each.status);
    return all;
  }

 private:
  static constexpr std::uint32_t requests_max = 8, elements_max = 4;

  void accept() {
    REQUIRE(heard(verbs::cm_event::kind::connect_request));
    id_ = last_.id;
    make_pair();
    REQUIRE(api->accept(id_, {}) == 0);
  }
  void make_pair() {
    ibv_qp_init_attr attributes{};
    attributes.send_cq = sends;
    attributes.recv_cq = receives;
    attributes.cap.max_send_wr = attributes.cap.max_recv_wr = requests_max;
    attributes.cap.max_send_sge = attributes.cap.max_recv_sge = elements_max;
    REQUIRE(api->create_queue_pair(id_, domain, attributes, pair) == 0);
  }

  address const own_;
  rdma_event_channel* events_ = nullptr;
  rdma_cm_id* listener_ = nullptr;
  rdma_cm_id* id_ = nullptr;
  ibv_comp_channel* channel_ = nullptr;
  verbs::cm_event last_;

 public:
  std::unique_ptr<verbs::api> const api;
  ibv_context* device = nullptr;
  ibv_pd* domain = nullptr;
  ibv_cq* sends = nullptr;
  ibv_cq* receives = nullptr;
  ibv_qp* pair = nullptr;
};

/// Memory of a host, registered: words, so that atomics find it aligned.
class bare_memory {
 public:
  bare_memory(bare_host& on, int access, std::optional<std::uint64_t> first = std::nullopt, ibv_pd* domain = nullptr) : on_(on) {
    for (std::size_t at = 0; at < words.size(); ++at) words[at] = at * 0x0101010101010101u;
    ibv_pd* const in = domain != nullptr ? domain : on.domain;
    REQUIRE((first ? on.api->register_memory_at(in, words.data(), bytes, *first, access, region)
                   : on.api->register_memory(in, words.data(), bytes, access, region)) == 0);
    begin = first.value_or(reinterpret_cast<std::uintptr_t>(words.data()));
  }
  ~bare_memory() { end(); }
  bare_memory(bare_memory const&) = delete;
  bare_memory& operator=(bare_memory const&) = delete;

  void end() {
    if (region != nullptr) REQUIRE(on_.api->deregister_memory(region) == 0);
    region = nullptr;
  }
  /// As its owner's requests name it.
  [[nodiscard]] ibv_sge part(std::uint64_t from, std::size_t count) const {
    ibv_sge made{};
    made.addr = begin + from;
    made.length = static_cast<std::uint32_t>(count);
    made.lkey = region->lkey;
    return made;
  }

  static constexpr std::size_t bytes = 256;
  std::array<std::uint64_t, bytes / 8> words{};
  std::uint64_t begin = 0;  // how its first byte is addressed
  ibv_mr* region = nullptr;

 private:
  bare_host& on_;
};

}  // namespace rdsco::test
