// SPDX-License-Identifier: BSD-2-Clause
#include "loop/socket_address.hpp"
#include "verbs/api.hpp"
#include "verbs/no_sigpipe.hpp"
#include "verbs/open_devices.hpp"
#include "verbs/system_device_events.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace rdsco::verbs {

namespace {

// librdmacm sets errno; libibverbs mostly returns it.
int from_errno(int answer) noexcept { return answer == 0 ? 0 : -errno; }
int from_answer(int answer) noexcept { return answer < 0 ? -errno : -answer; }
template <class T>
int made(T* what, T*& out) noexcept {
  out = what;
  return what == nullptr ? -errno : 0;
}

int set_nonblocking(int descriptor) noexcept {
  int const flags = ::fcntl(descriptor, F_GETFL);
  return flags < 0 || ::fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) != 0 ? -errno : 0;
}

cm_event::kind kind_of(rdma_cm_event_type type) noexcept {
  using kind = cm_event::kind;
  switch (type) {
    case RDMA_CM_EVENT_ADDR_RESOLVED: return kind::address_resolved;
    case RDMA_CM_EVENT_ROUTE_RESOLVED: return kind::route_resolved;
    case RDMA_CM_EVENT_CONNECT_REQUEST: return kind::connect_request;
    case RDMA_CM_EVENT_ESTABLISHED: return kind::established;
    case RDMA_CM_EVENT_REJECTED: return kind::rejected;
    case RDMA_CM_EVENT_ADDR_ERROR:
    case RDMA_CM_EVENT_ROUTE_ERROR:
    case RDMA_CM_EVENT_CONNECT_ERROR:
    case RDMA_CM_EVENT_UNREACHABLE: return kind::failed;
    case RDMA_CM_EVENT_DISCONNECTED:
    case RDMA_CM_EVENT_ADDR_CHANGE:
    case RDMA_CM_EVENT_TIMEWAIT_EXIT: return kind::disconnected;
    case RDMA_CM_EVENT_DEVICE_REMOVAL: return kind::device_removed;
    default: return kind::other;
  }
}

rdma_conn_param native(cm_parameters const& from) noexcept {
  rdma_conn_param to{};
  to.private_data = from.private_data.data();
  to.private_data_len = static_cast<std::uint8_t>(from.private_data.size());
  to.responder_resources = from.responder_resources;
  to.initiator_depth = from.initiator_depth;
  to.retry_count = from.retry_count;
  to.rnr_retry_count = from.rnr_retry_count;
  return to;
}

bool may_use(std::filesystem::path const& file) noexcept { return ::access(file.c_str(), R_OK | W_OK) == 0 || errno != EACCES; }

class system_api final : public api {
 public:
  int open_events(rdma_event_channel*& out) noexcept override {
    if (int const failed = made(::rdma_create_event_channel(), out)) return failed;
    int const failed = set_nonblocking(out->fd);
    if (failed != 0) close_events(std::exchange(out, nullptr));
    return failed;
  }
  void close_events(rdma_event_channel* events) noexcept override { ::rdma_destroy_event_channel(events); }
  int events_descriptor(rdma_event_channel* events) noexcept override { return events->fd; }

  int next_event(rdma_event_channel* events, cm_event& out) noexcept override {
    rdma_cm_event* event = nullptr;
    if (::rdma_get_cm_event(events, &event) != 0) return -errno;
    out = cm_event();
    out.what = kind_of(event->event);
    out.status = event->status;
    out.id = event->id;
    out.listener = event->listen_id;
    rdma_conn_param const& told = event->param.conn;
    out.responder_resources = told.responder_resources;
    out.initiator_depth = told.initiator_depth;
    if (told.private_data != nullptr) {
      out.private_bytes = told.private_data_len;
      std::memcpy(out.private_data.data(), told.private_data, out.private_bytes);
    }
    ::rdma_ack_cm_event(event);
    return 0;
  }

  int create_id(rdma_event_channel* events, void* context, rdma_cm_id*& out) noexcept override {
    out = nullptr;
    return from_errno(::rdma_create_id(events, &out, context, RDMA_PS_TCP));
  }
  void destroy_id(rdma_cm_id* id) noexcept override {
    no_sigpipe const guard(id->verbs);
    ::rdma_destroy_id(id);
  }
  int bind_address(rdma_cm_id* id, endpoint const& local) noexcept override {
    detail::socket_address at(local);
    return from_errno(::rdma_bind_addr(id, at.data()));
  }
  int listen(rdma_cm_id* id, int backlog) noexcept override { return from_errno(::rdma_listen(id, backlog)); }
  int resolve_address(rdma_cm_id* id, endpoint const& local, endpoint const& peer, int timeout_ms) noexcept override {
    detail::socket_address from(local), to(peer);
    return from_errno(::rdma_resolve_addr(id, from.data(), to.data(), timeout_ms));
  }
  int resolve_route(rdma_cm_id* id, int timeout_ms) noexcept override { return from_errno(::rdma_resolve_route(id, timeout_ms)); }
  int set_type_of_service(rdma_cm_id* id, std::uint8_t value) noexcept override {
    return from_errno(::rdma_set_option(id, RDMA_OPTION_ID, RDMA_OPTION_ID_TOS, &value, sizeof value));
  }
  int connect(rdma_cm_id* id, cm_parameters const& with) noexcept override {
    no_sigpipe const guard(id->verbs);
    rdma_conn_param told = native(with);
    return from_errno(::rdma_connect(id, &told));
  }
  int accept(rdma_cm_id* id, cm_parameters const& with) noexcept override {
    no_sigpipe const guard(id->verbs);
    rdma_conn_param told = native(with);
    return from_errno(::rdma_accept(id, &told));
  }
  int reject(rdma_cm_id* id, std::span<std::byte const> private_data) noexcept override {
    no_sigpipe const guard(id->verbs);
    return from_errno(::rdma_reject(id, private_data.data(), static_cast<std::uint8_t>(private_data.size())));
  }
  int disconnect(rdma_cm_id* id) noexcept override {
    no_sigpipe const guard(id->verbs);
    return from_errno(::rdma_disconnect(id));
  }
  int notify_heard(rdma_cm_id* id) noexcept override { return from_errno(::rdma_notify(id, IBV_EVENT_COMM_EST)); }
  endpoint peer_of(rdma_cm_id* id) noexcept override {
    sockaddr const* const peer = ::rdma_get_peer_addr(id);
    if (peer == nullptr) return {};
    detail::socket_address at;
    at.length = peer->sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    std::memcpy(&at.storage, peer, at.length);
    return at.to_endpoint();
  }
  ibv_context* device_of(rdma_cm_id* id) noexcept override { return id->verbs; }

  bool devices_permitted() noexcept override {
    std::error_code why;
    std::filesystem::directory_iterator each("/dev/infiniband", why);
    for (; !why && each != std::filesystem::directory_iterator(); each.increment(why)) {
      auto const name = each->path().filename().native();
      if ((name == "rdma_cm" || name.starts_with("uverbs")) && !may_use(each->path())) return false;
    }
    return true;
  }
  int hold_device(ibv_context* device) noexcept override { return verbs::hold_device(device); }
  void let_go_of_device(ibv_context* device, bool removed) noexcept override { verbs::let_go_of_device(device, removed); }
  int query_device(ibv_context* device, ibv_device_attr& out) noexcept override { return from_answer(::ibv_query_device(device, &out)); }
  ibv_node_type node_type(ibv_context* device) noexcept override { return device->device->node_type; }
  char const* device_name(ibv_context* device) noexcept override { return ::ibv_get_device_name(device->device); }
  std::uint8_t port_of(rdma_cm_id* id) noexcept override { return id->port_num; }
  int query_gids(ibv_context* device, std::span<ibv_gid_entry> out) noexcept override {
    return static_cast<int>(::ibv_query_gid_table(device, out.data(), out.size(), 0));
  }
  int allocate_domain(ibv_context* device, ibv_pd*& out) noexcept override { return made(::ibv_alloc_pd(device), out); }
  int release_domain(ibv_pd* domain) noexcept override { return from_answer(::ibv_dealloc_pd(domain)); }

  int open_device_events(ibv_context* device, device_events*& out) noexcept override { return subscribe(device, out); }
  void close_device_events(device_events* events) noexcept override { unsubscribe(events); }
  int device_events_descriptor(device_events* events) noexcept override { return descriptor_of(events); }
  int next_device_event(device_events* events, device_event& out) noexcept override { return next_of(events, out); }

  int create_channel(ibv_context* device, ibv_comp_channel*& out) noexcept override {
    if (int const failed = made(::ibv_create_comp_channel(device), out)) return failed;
    int const failed = set_nonblocking(out->fd);
    if (failed != 0) static_cast<void>(destroy_channel(std::exchange(out, nullptr)));
    return failed;
  }
  int destroy_channel(ibv_comp_channel* channel) noexcept override { return from_answer(::ibv_destroy_comp_channel(channel)); }
  int channel_descriptor(ibv_comp_channel* channel) noexcept override { return channel->fd; }
  int create_queue(ibv_context* device, int entries, void* context, ibv_comp_channel* channel, ibv_cq*& out) noexcept override {
    return made(::ibv_create_cq(device, entries, context, channel, 0), out);
  }
  int destroy_queue(ibv_cq* queue) noexcept override { return from_answer(::ibv_destroy_cq(queue)); }
  int request_notification(ibv_cq* queue, bool solicited_only) noexcept override {
    return from_answer(::ibv_req_notify_cq(queue, solicited_only ? 1 : 0));
  }
  int next_queue_event(ibv_comp_channel* channel, void*& context) noexcept override {
    ibv_cq* queue = nullptr;
    return ::ibv_get_cq_event(channel, &queue, &context) != 0 ? -errno : 0;
  }
  void acknowledge_queue_events(ibv_cq* queue, unsigned count) noexcept override { ::ibv_ack_cq_events(queue, count); }
  int poll(ibv_cq* queue, std::span<ibv_wc> out) noexcept override {
    return ::ibv_poll_cq(queue, static_cast<int>(out.size()), out.data());
  }

  int create_queue_pair(rdma_cm_id* id, ibv_pd* domain, ibv_qp_init_attr& attributes, ibv_qp*& out) noexcept override {
    if (::rdma_create_qp(id, domain, &attributes) != 0) return -errno;
    out = id->qp;
    return 0;
  }
  void destroy_queue_pair(rdma_cm_id* id) noexcept override {
    no_sigpipe const guard(id->verbs);
    ::rdma_destroy_qp(id);
  }
  int query_path(rdma_cm_id* id, ibv_qp* pair, pair_path& out) noexcept override {
    ibv_qp_attr now{};
    ibv_qp_init_attr made{};
    if (int const failed = from_answer(::ibv_query_qp(pair, &now, IBV_QP_AV, &made))) return failed;
    out.port = now.ah_attr.port_num != 0 ? now.ah_attr.port_num : id->port_num;
    out.service_level = now.ah_attr.sl;
    if (now.ah_attr.is_global != 0) out.gid_index = now.ah_attr.grh.sgid_index;
    out.local = id->route.addr.addr.ibaddr.sgid;
    out.peer = id->route.addr.addr.ibaddr.dgid;
    return 0;
  }
  int set_receiver_wait(ibv_qp* pair, std::uint8_t code) noexcept override {
    ibv_qp_attr changed{};
    changed.min_rnr_timer = code;
    return from_answer(::ibv_modify_qp(pair, &changed, IBV_QP_MIN_RNR_TIMER));
  }
  int post_send(ibv_qp* pair, ibv_send_wr* first) noexcept override {
    no_sigpipe const guard(pair->context);
    ibv_send_wr* refused = nullptr;
    return from_answer(::ibv_post_send(pair, first, &refused));
  }
  int post_receive(ibv_qp* pair, ibv_recv_wr* first) noexcept override {
    ibv_recv_wr* refused = nullptr;
    return from_answer(::ibv_post_recv(pair, first, &refused));
  }

  int register_memory(ibv_pd* domain, void* memory, std::size_t bytes, int access, ibv_mr*& out) noexcept override {
    return made(::ibv_reg_mr(domain, memory, bytes, static_cast<unsigned>(access)), out);
  }
  int register_memory_at(ibv_pd* domain, void* memory, std::size_t bytes, std::uint64_t first, int access, ibv_mr*& out) noexcept override {
    return made(::ibv_reg_mr_iova(domain, memory, bytes, first, static_cast<unsigned>(access)), out);
  }
  int deregister_memory(ibv_mr* region) noexcept override { return from_answer(::ibv_dereg_mr(region)); }
  int allocate_window(ibv_pd* domain, ibv_mw*& out) noexcept override {
    errno = 0;
    return made(::ibv_alloc_mw(domain, IBV_MW_TYPE_2), out);
  }
  int release_window(ibv_mw* window) noexcept override { return from_answer(::ibv_dealloc_mw(window)); }
};

}  // namespace

std::unique_ptr<api> make_system_api() { return std::make_unique<system_api>(); }

}  // namespace rdsco::verbs
