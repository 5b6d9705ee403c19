// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "node/actor.hpp"
#include "node/carrier.hpp"
#include "node/event_signal.hpp"
#include "node/node_core.hpp"
#include "protocol/cm_private_data.hpp"
#include "transports/verbs/fabric.hpp"
#include "transports/verbs/ring_sizes.hpp"
#include "verbs/device.hpp"
#include "verbs/event_channel.hpp"

#include <rdsco/detail/timer.hpp>
#include <rdsco/task_group.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <system_error>
#include <vector>

namespace rdsco::detail {

/// What it means to whoever runs the node that a call failed while something was set up, by -errno.
[[nodiscard]] std::error_code setup_error(int answer) noexcept;

/// What private data say of earlier connections.
struct verbs_acknowledgement {
  std::uint64_t number = 0;      ///< the last message that the peer received
  std::uint16_t of_life = 0;     ///< and whose number that is
  std::uint16_t peer_life = 0;   ///< 0: the peer is a kernel

  verbs_acknowledgement() = default;
  explicit verbs_acknowledgement(protocol::cm_private_data const& told) noexcept
      : number(told.ack), of_life(told.ack_life), peer_life(told.life) {}
};

/// A peer that wants to connect, as the connection manager announced it.
struct verbs_request {
  rdma_cm_id* id = nullptr;
  protocol::protocol_version version;
  std::uint8_t responder_resources = 0;
  std::uint8_t initiator_depth = 0;
  std::uint32_t initial_credit = 0;  // only: can.credits
  verbs_acknowledgement earlier;
};

/// What a transport over verbs wants of its links, whatever their fabric.
class verbs_carrier : public carrier {
 public:
  /// A peer's request. False: this side's own attempt goes on, the request is to be rejected.
  [[nodiscard]] virtual bool asked(verbs_request const& request) noexcept = 0;
  /// It has asked its peer for a connection and waits for the answer.
  [[nodiscard]] virtual bool asking() const noexcept = 0;
  /// Its device says something, perhaps of this connection.
  virtual void device_event_arrived(verbs::device const& from, verbs::device_event const& event) noexcept = 0;
};

/// RDS over verbs in one node: its listeners, the devices that its addresses lie on, and what its links have in common.
class verbs_transport : public transport, public verbs::device_user {
 public:
  verbs_transport(node_core& in, std::unique_ptr<verbs::api> calls, fabric_capabilities const& of);
  ~verbs_transport() override;

  [[nodiscard]] std::error_code open(local_host& host) override;
  void start() override;
  [[nodiscard]] task<result<region_core*>> register_memory(local_host& host, mutable_buffer memory) override;
  void congestion_changed(local_host& host) noexcept override;
  void describe(local_host const& host, verbs_address_row& row) override;
  [[nodiscard]] bool has_address_rows() const noexcept override { return true; }
  [[nodiscard]] task<> close() override;

  // verbs::device_user
  void device_event_arrived(verbs::device& from, verbs::device_event const& event) noexcept override;
  void device_pulled_out(verbs::device& gone) noexcept override { device_removed(gone.native()); }
  void device_ended() noexcept override { changed_.raise(1); }

  // for links and listeners
  [[nodiscard]] verbs::api& calls() const noexcept { return *api_; }
  [[nodiscard]] verbs::event_channel& manager() noexcept { return manager_; }
  /// The device, opened if it was not. Null: it cannot be. `at`: an address of ours on it.
  [[nodiscard]] verbs::device* device_for(ibv_context* native, address const& at) noexcept;
  /// Of each connection on it. Nothing: it is too small for one.
  [[nodiscard]] std::optional<ring_sizes> rings_on(verbs::device const& on) const noexcept {
    return ring_sizes::of(node.options.verbs, can_.receives_min, on.attributes());
  }
  /// A connection has nothing on it any more.
  void put(verbs::device& used) noexcept;
  /// The connection manager says so to everybody who is on it: all lets go, and is there again when the adapter is.
  void device_removed(ibv_context* native) noexcept;
  /// How many remote reads and atomics may be under way at once, each way, as the connection manager counts them.
  [[nodiscard]] std::uint8_t read_depth(ibv_context* native) const noexcept;
  [[nodiscard]] int milliseconds_left(time_point deadline) const noexcept;
  [[nodiscard]] int resolve(rdma_cm_id* id, address const& local, address const& peer) noexcept;
  /// How a connection from a local address leaves, and whether that is how it was to be expected.
  void describe_path(address const& local, rdma_cm_id* id, ibv_qp* pair, ib_row& row);
  void requested(local_host& host, verbs::cm_event const& event) noexcept;
  /// Says no, and lets go of the identifier.
  void reject(rdma_cm_id* id) noexcept;
  void refuse(rdma_cm_id* id) noexcept;

  node_core& node;

 protected:
  /// The next carries() allocates nothing.
  void make_room_to_carry() {
    if (connections_.size() == connections_.capacity()) connections_.reserve(2 * connections_.size() + 8);
  }
  void carries(connection& by) noexcept { connections_.push_back(&by); }
  task_group& actors() noexcept { return actors_; }
  /// The adapter of this address has memory windows: the one that is there, or was.
  [[nodiscard]] bool windows_at(local_host const& host) noexcept;

 private:
  [[nodiscard]] verbs::device* device_at(local_host const& host) noexcept;
  void close_regions(verbs::device const* on) noexcept;
  class registration_under_way;
  [[nodiscard]] errc pointless(verbs::device const& on, bool stopped) const noexcept;
  [[nodiscard]] task<errc> populate(verbs::device const& on, mutable_buffer memory);

  class listener;
  struct retry_timer : timer {
    explicit retry_timer(verbs_transport& of) noexcept
        : timer([](timer& self) noexcept { watch_ended(&static_cast<retry_timer&>(self).owner); }), owner(of) {}
    verbs_transport& owner;
  };
  [[nodiscard]] listener& listener_of(local_host const& host) const noexcept;
  [[nodiscard]] rdma_cm_id* listener_id(local_host const& host) const noexcept;
  [[nodiscard]] int open_device(ibv_context* native, address const& at, verbs::device*& out) noexcept;
  [[nodiscard]] std::error_code try_memory(verbs::device& on, ring_sizes const& rings) noexcept;
  [[nodiscard]] std::error_code permitted(std::error_code why) const noexcept;
  [[nodiscard]] task<> keep();
  void drop_removed() noexcept;
  void device_failed(ibv_context* native) noexcept;
  void listen_again() noexcept;
  [[nodiscard]] std::uint16_t port_of(address const& at) const noexcept;
  [[nodiscard]] bool acceptable(local_host& host, address const& peer, protocol::cm_private_data const& told) const noexcept;
  [[nodiscard]] bool expected(local_host const& host, address const& peer, std::uint8_t type_of_service) const noexcept;
  [[nodiscard]] task<> end_watches();
  static void watch_ended(void* self) noexcept { static_cast<verbs_transport*>(self)->changed_.raise(1); }

  std::unique_ptr<verbs::api> api_;
  fabric_capabilities const can_;
  event_signal changed_;  // a watch ended, a device was let go of, nothing is being registered, or it is time to listen again
  retry_timer retry_;
  verbs::event_channel manager_;
  bool manager_open_ = false;
  bool started_ = false;
  bool closing_ = false;
  std::vector<std::unique_ptr<verbs::device>> devices_;
  std::vector<std::unique_ptr<listener>> listeners_;
  std::vector<connection*> connections_;
  std::size_t registrations_ = 0;  // under way
  task_group actors_;
};

}  // namespace rdsco::detail
