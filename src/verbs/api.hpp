// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/endpoint.hpp>

#include <infiniband/verbs.h>
#include <rdma/rdma_cma.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace rdsco::verbs {

/// What the connection manager has to say, copied out and acknowledged at once, so that no event holds an identifier back.
struct cm_event {
  enum class kind : std::uint8_t {
    address_resolved,
    route_resolved,
    connect_request,  ///< `id` is new and its receiver's; `listener` is who listened
    established,
    rejected,         ///< by the peer, with its private data, or because nobody listens
    failed,           ///< an attempt came to nothing: unreachable, no route, timed out
    disconnected,
    device_removed,   ///< everything on the device must be let go of
    other
  };
  kind what = kind::other;
  int status = 0;  ///< as the connection manager reports it: -errno, or its own reason
  rdma_cm_id* id = nullptr;
  rdma_cm_id* listener = nullptr;
  std::uint8_t responder_resources = 0;
  std::uint8_t initiator_depth = 0;
  std::uint8_t private_bytes = 0;
  std::array<std::byte, 255> private_data{};

  [[nodiscard]] std::span<std::byte const> told() const noexcept { return {private_data.data(), private_bytes}; }
};

/// What a device says by itself, copied out and acknowledged at once, so that no event holds a queue pair or a queue back.
struct device_event {
  enum class kind : std::uint8_t {
    pair_failed,    ///< `pair` is in error
    queue_failed,   ///< `queue` is, and what uses it
    peer_heard,     ///< a message came on `pair` before the connection manager said that it is established
    device_failed,  ///< everything on it is dead
    port_up,
    port_down,      ///< connections fail by themselves if it lasts
    port_changed,   ///< its addresses, or who manages it
    other
  };
  kind what = kind::other;
  ibv_event_type type = IBV_EVENT_DEVICE_FATAL;
  // To compare with, nothing to look at: they may be gone. The number is not given again as soon as the place in memory is.
  ibv_qp const* pair = nullptr;
  std::uint32_t pair_number = 0;
  ibv_cq const* queue = nullptr;
};

/// How a connection leaves this host.
struct pair_path {
  std::uint8_t port = 0;
  std::uint8_t service_level = 0;
  int gid_index = -1;  ///< none is used
  ibv_gid local{};
  ibv_gid peer{};
};

/// A queue of one device's own events.
struct device_events {};

/// What is offered or accepted with a connection.
struct cm_parameters {
  std::span<std::byte const> private_data;
  std::uint8_t responder_resources = 0;
  std::uint8_t initiator_depth = 0;
  std::uint8_t retry_count = 7;
  std::uint8_t rnr_retry_count = 7;  ///< 7: for ever
};

/// Every call into rdma-core that rdsco makes, as one table: some are macros or inline functions there. A stand-in for tests
/// implements it without an adapter.
///
/// Functions returning int return 0 or -errno.
///
/// Who waits, and for what, since all others on the loop wait too; docs/transports.md has a table:
/// * *at once*: user space alone, or a queue that is asked without waiting. Whatever has no comment below is at once.
/// * *kernel*: a system call that takes the kernel's locks of the connection manager or of the adapter, and on some adapters a command to the
///   adapter's firmware, which answers in some microseconds to a few milliseconds. It never waits for a peer.
/// * *waits*: for something else, as its comment says. Once a connection, or once a region; nothing on the way of a datagram does.
///
/// Threads: that of the loop that uses it. register_memory() alone may be called by another one meanwhile.
class api {
 public:
  virtual ~api() = default;

  // --- connection manager ----------------------------------------------------------------------------------------
  /// Kernel.
  virtual int open_events(rdma_event_channel*& out) noexcept = 0;
  virtual void close_events(rdma_event_channel* events) noexcept = 0;
  [[nodiscard]] virtual int events_descriptor(rdma_event_channel* events) noexcept = 0;
  /// The next event. -EAGAIN: there is none.
  virtual int next_event(rdma_event_channel* events, cm_event& out) noexcept = 0;
  /// Kernel.
  virtual int create_id(rdma_event_channel* events, void* context, rdma_cm_id*& out) noexcept = 0;
  /// Its queue pair is gone. Waits until its events are acknowledged, which they are, and until what the kernel's connection manager has
  /// under way for it has ended: its handlers, and a message that is being sent. Not for an answer of the peer.
  virtual void destroy_id(rdma_cm_id* id) noexcept = 0;
  // All of these are *kernel*: they begin something, and an event tells how it ended. But soft-iWARP connects in connect(), and waits there for
  // as long as TCP does.
  virtual int bind_address(rdma_cm_id* id, endpoint const& local) noexcept = 0;
  virtual int listen(rdma_cm_id* id, int backlog) noexcept = 0;
  virtual int resolve_address(rdma_cm_id* id, endpoint const& local, endpoint const& peer, int timeout_ms) noexcept = 0;
  virtual int resolve_route(rdma_cm_id* id, int timeout_ms) noexcept = 0;
  virtual int set_type_of_service(rdma_cm_id* id, std::uint8_t value) noexcept = 0;
  virtual int connect(rdma_cm_id* id, cm_parameters const& with) noexcept = 0;
  virtual int accept(rdma_cm_id* id, cm_parameters const& with) noexcept = 0;
  virtual int reject(rdma_cm_id* id, std::span<std::byte const> private_data) noexcept = 0;
  virtual int disconnect(rdma_cm_id* id) noexcept = 0;
  /// The peer was heard on a connection that was accepted: the connection manager need not wait for more, and says that it is established.
  virtual int notify_heard(rdma_cm_id* id) noexcept = 0;
  /// The peer of a connection or of a request.
  [[nodiscard]] virtual endpoint peer_of(rdma_cm_id* id) noexcept = 0;
  /// The device that an identifier was bound or resolved to; null before.
  [[nodiscard]] virtual ibv_context* device_of(rdma_cm_id* id) noexcept = 0;

  // --- device ----------------------------------------------------------------------------------------------------
  /// False: there are adapters, or a connection manager, that this user may not open. Nobody else says so.
  [[nodiscard]] virtual bool devices_permitted() noexcept = 0;
  /// Somebody begins to use a device, and has nothing on it any more: open_devices.hpp.
  virtual int hold_device(ibv_context* device) noexcept = 0;
  virtual void let_go_of_device(ibv_context* device, bool removed) noexcept = 0;
  /// Kernel.
  virtual int query_device(ibv_context* device, ibv_device_attr& out) noexcept = 0;
  [[nodiscard]] virtual ibv_node_type node_type(ibv_context* device) noexcept = 0;
  [[nodiscard]] virtual char const* device_name(ibv_context* device) noexcept = 0;
  /// The port of it that an identifier was bound or resolved to.
  [[nodiscard]] virtual std::uint8_t port_of(rdma_cm_id* id) noexcept = 0;
  /// Kernel. The GIDs of all its ports: how many were written to `out`, or -errno.
  virtual int query_gids(ibv_context* device, std::span<ibv_gid_entry> out) noexcept = 0;
  /// Kernel, and so is the release.
  virtual int allocate_domain(ibv_context* device, ibv_pd*& out) noexcept = 0;
  virtual int release_domain(ibv_pd* domain) noexcept = 0;

  // --- what a device says by itself ------------------------------------------------------------------------------
  /// Kernel, and so is the closing.
  virtual int open_device_events(ibv_context* device, device_events*& out) noexcept = 0;
  virtual void close_device_events(device_events* events) noexcept = 0;
  [[nodiscard]] virtual int device_events_descriptor(device_events* events) noexcept = 0;
  /// The next event. -EAGAIN: there is none.
  virtual int next_device_event(device_events* events, device_event& out) noexcept = 0;

  // --- completions -----------------------------------------------------------------------------------------------
  /// Kernel, and so is the destruction.
  virtual int create_channel(ibv_context* device, ibv_comp_channel*& out) noexcept = 0;
  virtual int destroy_channel(ibv_comp_channel* channel) noexcept = 0;
  [[nodiscard]] virtual int channel_descriptor(ibv_comp_channel* channel) noexcept = 0;
  /// Kernel.
  virtual int create_queue(ibv_context* device, int entries, void* context, ibv_comp_channel* channel, ibv_cq*& out) noexcept = 0;
  /// Kernel. Waits until as many events were acknowledged as were taken, which they are.
  virtual int destroy_queue(ibv_cq* queue) noexcept = 0;
  virtual int request_notification(ibv_cq* queue, bool solicited_only) noexcept = 0;
  /// Takes the event of one queue; `context` is that queue's. -EAGAIN: there is none.
  virtual int next_queue_event(ibv_comp_channel* channel, void*& context) noexcept = 0;
  virtual void acknowledge_queue_events(ibv_cq* queue, unsigned count) noexcept = 0;
  /// How many completions were written to `out`, or -errno.
  virtual int poll(ibv_cq* queue, std::span<ibv_wc> out) noexcept = 0;

  // --- queue pairs -----------------------------------------------------------------------------------------------
  /// Kernel.
  virtual int create_queue_pair(rdma_cm_id* id, ibv_pd* domain, ibv_qp_init_attr& attributes, ibv_qp*& out) noexcept = 0;
  /// The adapter has let go of all memory of its requests when this returns. Waits for that: for what the adapter is just doing, not for
  /// requests that it has not begun.
  virtual void destroy_queue_pair(rdma_cm_id* id) noexcept = 0;
  /// Kernel.
  virtual int query_path(rdma_cm_id* id, ibv_qp* pair, pair_path& out) noexcept = 0;
  /// Kernel. How long the peer waits before it repeats what found no receive posted: a code of InfiniBand's. The pair is connected.
  virtual int set_receiver_wait(ibv_qp* pair, std::uint8_t code) noexcept = 0;
  virtual int post_send(ibv_qp* pair, ibv_send_wr* first) noexcept = 0;
  virtual int post_receive(ibv_qp* pair, ibv_recv_wr* first) noexcept = 0;

  // --- memory ----------------------------------------------------------------------------------------------------
  /// Waits until all pages are there and pinned, and the adapter knows them: as long as the memory is large, longer where pages have to be
  /// found, made empty or read from a disk first.
  virtual int register_memory(ibv_pd* domain, void* memory, std::size_t bytes, int access, ibv_mr*& out) noexcept = 0;
  /// Waits likewise. Peers address its first byte as `first`; soft-iWARP takes no notice and has it addressed where it lies.
  virtual int register_memory_at(ibv_pd* domain, void* memory, std::size_t bytes, std::uint64_t first, int access, ibv_mr*& out) noexcept = 0;
  /// Waits until the adapter has forgotten it and its pages are unpinned: as long as the memory is large, but nothing has to be found.
  virtual int deregister_memory(ibv_mr* region) noexcept = 0;
  /// Kernel. A memory window of type 2: it is bound and invalidated by requests that are posted like sends. -EOPNOTSUPP: the device has none.
  virtual int allocate_window(ibv_pd* domain, ibv_mw*& out) noexcept = 0;
  /// Kernel. Of a window that is bound too; nobody reaches memory by it when this returns.
  virtual int release_window(ibv_mw* window) noexcept = 0;
};

/// rdma-core.
[[nodiscard]] std::unique_ptr<api> make_system_api();

}  // namespace rdsco::verbs
