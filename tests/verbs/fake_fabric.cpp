// SPDX-License-Identifier: BSD-2-Clause
// Long because the table of calls is one class.
#include "verbs/fake_fabric.hpp"

#include "verbs/event_status.hpp"

#include <rdsco/detail/check.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <type_traits>
#include <utility>

#include <sys/eventfd.h>
#include <unistd.h>

namespace rdsco::test {

using kind = verbs::cm_event::kind;

fake_descriptor::fake_descriptor() : number_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (number_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}
fake_descriptor::~fake_descriptor() { ::close(number_); }
void fake_descriptor::set(bool readable) noexcept {
  eventfd_t count = 0;
  if (readable)
    static_cast<void>(::eventfd_write(number_, 1));
  else
    static_cast<void>(::eventfd_read(number_, &count));
}

namespace {

// A REQ has 56 bytes for its consumer, a REP 196, a REJ 148; whatever is not used is zero.
constexpr std::size_t request_bytes = 56, reply_bytes = 196, reject_bytes = 148;

template <class Request>
std::vector<ibv_sge> elements_of(Request const& request) {
  return {request.sg_list, request.sg_list + request.num_sge};
}

fake_send as_posted(ibv_send_wr const& request) {
  fake_send made;
  made.request = request;
  made.elements = elements_of(request);
  if (request.opcode != IBV_WR_BIND_MW) return made;
  auto const& how = request.bind_mw.bind_info;
  made.binding.window = static_cast<fake_window*>(request.bind_mw.mw);
  made.binding.region = static_cast<fake_region*>(how.mr);
  made.binding.believed = request.bind_mw.mw->rkey;
  made.binding.key = request.bind_mw.rkey;
  made.binding.address = how.addr;
  made.binding.bytes = how.length;
  made.binding.access = how.mw_access_flags;
  return made;
}

}  // namespace

ibv_device_attr fake_attributes(ibv_node_type type) noexcept {
  bool const iwarp = type == IBV_NODE_RNIC;
  ibv_device_attr made{};
  made.max_mr_size = std::uint64_t{1} << 40;
  made.max_qp_wr = 1 << 15;
  made.max_sge = iwarp ? 6 : 32;
  made.max_sge_rd = iwarp ? 1 : 32;
  made.max_cqe = (1 << 15) - 1;
  made.max_mr = made.max_mw = 1 << 19;
  made.max_qp_rd_atom = made.max_qp_init_rd_atom = 16;
  made.atomic_cap = iwarp ? IBV_ATOMIC_NONE : IBV_ATOMIC_HCA;
  // As the rules permit.
  made.device_cap_flags = static_cast<unsigned>(IBV_DEVICE_MEM_WINDOW) | IBV_DEVICE_MEM_WINDOW_TYPE_2B | IBV_DEVICE_MEM_MGT_EXTENSIONS;
  return made;
}

std::vector<std::byte> fake_fabric::as_told(std::span<std::byte const> told, std::size_t room) {
  std::vector<std::byte> made(told.begin(), told.end());
  if (rules.pads) made.resize(std::max(told.size(), room));
  if (on_private_data) on_private_data(made);
  return made;
}

fake_fabric::~fake_fabric() = default;

bool fake_fabric::fails() noexcept {
  ++calls_;
  return fail_in_ != 0 && --fail_in_ == 0;
}

int fake_fabric::refused(std::string_view call) const {
  auto const found = faults.refused.find(call);
  return found == faults.refused.end() ? 0 : found->second;
}

bool fake_fabric::is_cut(fake_id const& one) const { return cuts_.contains(std::minmax(one.local.host, one.peer.host)); }

void fake_fabric::cut(address const& one, address const& other, bool on) {
  if (on)
    cuts_.insert(std::minmax(one, other));
  else
    cuts_.erase(std::minmax(one, other));
  run();
}

bool fake_fabric::is_held(fake_pair const& one) const { return held_.contains(one.of->local.host); }

void fake_fabric::hold_sends(address const& of, bool on) {
  if (on) {
    held_.insert(of);
    return;
  }
  held_.erase(of);
  for (fake_id* const id : ids_)
    if (id->pair != nullptr && id->pair->failed) flush(*id->pair, IBV_WC_WR_FLUSH_ERR, nullptr);
  run();
}

std::size_t fake_fabric::connections() const noexcept {
  return static_cast<std::size_t>(std::ranges::count_if(ids_, [](fake_id const* id) { return id->connected && !id->ended; })) / 2;
}

void fake_fabric::break_connections(address const& one, address const& other, ibv_wc_status status) {
  for (fake_id* const id : ids_) {
    if (!id->connected || id->ended || std::minmax(id->local.host, id->peer.host) != std::minmax(one, other)) continue;
    if (id->pair != nullptr) fail_pair(*id->pair, status);
  }
}

void fake_fabric::tell(fake_id& id, kind what, std::span<std::byte const> told, int status) {
  verbs::cm_event event;
  event.what = what;
  event.status = status;
  event.id = &id;
  event.private_bytes = static_cast<std::uint8_t>(told.size());
  std::copy(told.begin(), told.end(), event.private_data.begin());
  id.events->waiting.push_back(event);
  id.events->ready.set(true);
}

void fake_fabric::announce(fake_queue& to) {
  to.armed = false;
  auto& channel = *static_cast<fake_channel*>(to.channel);
  channel.waiting.push_back(&to);
  if (!faults.hold_events) channel.ready.set(true);
}

void fake_fabric::release_events() {
  for (fake_id* const id : ids_)
    if (id->pair != nullptr) static_cast<fake_channel*>(id->pair->receives_to->channel)->ready.set(true);
}

void fake_fabric::tell_disconnected(address const& one, address const& other) {
  for (fake_id* const id : ids_)
    if (id->connected && !id->ended && std::minmax(id->local.host, id->peer.host) == std::minmax(one, other)) tell(*id, kind::disconnected);
}

void fake_fabric::disconnect(fake_id& id) {
  if (id.ended || !id.connected) return;
  for (fake_id* const end : {&id, id.other}) {
    if (end == nullptr) continue;
    end->ended = true;
    if (end->pair != nullptr) fail_pair(*end->pair, IBV_WC_WR_FLUSH_ERR);
    tell(*end, kind::disconnected);
  }
}

/// The calls of one host.
class fake_api final : public verbs::api {
 public:
  fake_api(fake_fabric& fabric, std::vector<address> addresses) : fabric_(fabric), addresses_(std::move(addresses)) {
    description_.node_type = fabric.node_type;
    insert_device();
    fabric_.apis_.push_back(this);
  }
  ~fake_api() override { std::erase(fabric_.apis_, this); }

  [[nodiscard]] bool has(address const& one) const { return std::ranges::find(addresses_, one) != addresses_.end(); }
  [[nodiscard]] std::size_t on_device() const noexcept { return on_device_; }
  void remove_device() {
    removed_ = true;
    for (fake_id* const id : fabric_.ids_) {
      if (id->verbs != device_) continue;
      std::erase_if(fabric_.listeners_, [&](auto const& each) { return each.second == id; });
      if (id->other != nullptr && id->other->pair != nullptr) fabric_.fail_pair(*id->other->pair, IBV_WC_RETRY_EXC_ERR);
      if (id->pair != nullptr) fabric_.fail_pair(*id->pair, IBV_WC_WR_FLUSH_ERR);
      fabric_.tell(*id, kind::device_removed);
    }
  }
  void insert_device() {
    removed_ = false;
    device_ = &devices_.emplace_back();
    device_->device = &description_;
  }

  int open_events(rdma_event_channel*& out) noexcept override {
    if (int const failed = fabric_.refused("open_events")) return failed;
    return make<fake_events>(out);
  }
  void close_events(rdma_event_channel* events) noexcept override { destroy(static_cast<fake_events*>(events)); }
  int events_descriptor(rdma_event_channel* events) noexcept override { return static_cast<fake_events*>(events)->ready.number(); }
  int next_event(rdma_event_channel* events, verbs::cm_event& out) noexcept override {
    auto& from = *static_cast<fake_events*>(events);
    if (from.waiting.empty()) return from.ready.set(false), -EAGAIN;
    out = from.waiting.front();
    from.waiting.pop_front();
    return 0;
  }

  int create_id(rdma_event_channel* events, void* context, rdma_cm_id*& out) noexcept override {
    if (int const failed = make<fake_id>(out)) return failed;
    auto& made = *static_cast<fake_id*>(out);
    made.context = context;
    made.events = static_cast<fake_events*>(events);
    made.account = &on_device_;
    fabric_.ids_.push_back(&made);
    return 0;
  }
  void destroy_id(rdma_cm_id* id) noexcept override {
    auto& ending = *static_cast<fake_id*>(id);
    RDSCO_CHECK(ending.pair == nullptr, "an identifier was destroyed before its queue pair");
    if (ending.connected) {
      fabric_.disconnect(ending);
    } else if (ending.other != nullptr) {
      fabric_.tell(*ending.other, kind::rejected);
    }
    if (ending.other != nullptr) ending.other->other = nullptr;
    std::erase_if(fabric_.listeners_, [&](auto const& each) { return each.second == &ending; });
    // As the kernel has it: requests that nobody has heard of go with whoever listened.
    for (auto& waiting = ending.events->waiting; ending.listening;) {
      auto const unheard = std::ranges::find_if(waiting, [&](verbs::cm_event const& each) { return each.listener == id; });
      if (unheard == waiting.end()) break;
      rdma_cm_id* const request = unheard->id;
      destroy_id(request);
    }
    std::erase_if(ending.events->waiting, [&](verbs::cm_event const& each) { return each.id == id; });
    std::erase(fabric_.ids_, &ending);
    destroy(&ending);
  }
  int bind_address(rdma_cm_id* id, endpoint const& local) noexcept override {
    if (fabric_.fails()) return -ENOMEM;
    auto& bound = *static_cast<fake_id*>(id);
    bound.local = local;
    if (int const failed = fabric_.refused("bind_address")) return failed;
    if (!has(bound.local.host) || removed_) return -EADDRNOTAVAIL;
    if (fabric_.listeners_.contains(bound.local)) return -EADDRINUSE;
    bound.verbs = device_;
    return 0;
  }
  int listen(rdma_cm_id* id, int) noexcept override {
    if (fabric_.fails()) return -ENOMEM;
    auto& listens = *static_cast<fake_id*>(id);
    listens.listening = true;
    fabric_.listeners_.emplace(listens.local, &listens);
    return 0;
  }
  int resolve_address(rdma_cm_id* id, endpoint const& local, endpoint const& peer, int) noexcept override {
    if (fabric_.fails()) return -ENOMEM;
    if (removed_) return -ENODEV;
    auto& resolves = *static_cast<fake_id*>(id);
    resolves.local = endpoint(local.host, ++fabric_.last_port_);
    resolves.peer = peer;
    resolves.verbs = device_;
    fabric_.tell(resolves, kind::address_resolved);
    return 0;
  }
  int resolve_route(rdma_cm_id* id, int) noexcept override {
    if (fabric_.fails()) return -ENOMEM;
    fabric_.tell(*static_cast<fake_id*>(id), kind::route_resolved);
    return 0;
  }
  int set_type_of_service(rdma_cm_id*, std::uint8_t) noexcept override { return 0; }

  int connect(rdma_cm_id* id, verbs::cm_parameters const& with) noexcept override {
    if (fabric_.fails()) return -ENOMEM;
    auto& asks = *static_cast<fake_id*>(id);
    if (fabric_.is_cut(asks)) return 0;  // the request is lost
    auto const found = fabric_.listeners_.find(asks.peer);
    if (found == fabric_.listeners_.end()) return fabric_.tell(asks, kind::rejected), 0;
    fake_id& listens = *found->second;
    if (listens.account == asks.account && !fabric_.rules.reaches_itself) return fabric_.tell(asks, kind::failed), 0;
    auto* const made = new fake_id{};
    ++fabric_.alive_;
    made->account = listens.account;
    ++*made->account;
    made->events = listens.events;
    made->verbs = listens.verbs;
    made->local = asks.peer;
    made->peer = asks.local;
    made->other = &asks;
    asks.other = made;
    asks.asked = true;
    fabric_.ids_.push_back(made);
    fabric_.tell(*made, kind::connect_request, fabric_.as_told(with.private_data, request_bytes));
    verbs::cm_event& told = made->events->waiting.back();
    told.listener = &listens;
    told.responder_resources = with.responder_resources;
    told.initiator_depth = with.initiator_depth;
    return 0;
  }
  int accept(rdma_cm_id* id, verbs::cm_parameters const& with) noexcept override {
    if (fabric_.fails()) return -ENOMEM;
    auto& accepts = *static_cast<fake_id*>(id);
    if (accepts.other == nullptr) return -ECONNRESET;
    accepts.connected = accepts.other->connected = true;
    fabric_.tell(*accepts.other, kind::established, fabric_.as_told(with.private_data, reply_bytes));
    if (!fabric_.faults.lose_established) fabric_.tell(accepts, kind::established);
    fabric_.run();
    return 0;
  }
  int reject(rdma_cm_id* id, std::span<std::byte const> private_data) noexcept override {
    auto& rejects = *static_cast<fake_id*>(id);
    if (rejects.other == nullptr) return -EINVAL;
    fabric_.tell(*rejects.other, kind::rejected, fabric_.as_told(private_data, reject_bytes), 28);
    rejects.other->other = nullptr;
    rejects.other = nullptr;
    return 0;
  }
  int disconnect(rdma_cm_id* id) noexcept override { return fabric_.disconnect(*static_cast<fake_id*>(id)), 0; }
  endpoint peer_of(rdma_cm_id* id) noexcept override { return static_cast<fake_id*>(id)->peer; }
  ibv_context* device_of(rdma_cm_id* id) noexcept override { return id->verbs; }

  int notify_heard(rdma_cm_id* id) noexcept override {
    auto& heard = *static_cast<fake_id*>(id);
    if (!heard.connected || heard.asked) return -EINVAL;
    fabric_.tell(heard, kind::established);
    return 0;
  }

  // One subscription a device, as long as each host has its own process.
  void say(verbs::device_event const& what) {
    if (says_ == nullptr) return;
    says_->waiting.push_back(what);
    says_->ready.set(true);
  }
  int open_device_events(ibv_context*, verbs::device_events*& out) noexcept override {
    if (int const failed = make<fake_device_events>(out)) return failed;
    says_ = static_cast<fake_device_events*>(out);
    return 0;
  }
  void close_device_events(verbs::device_events* events) noexcept override {
    if (says_ == events) says_ = nullptr;
    destroy(static_cast<fake_device_events*>(events));
  }
  int device_events_descriptor(verbs::device_events* events) noexcept override {
    return static_cast<fake_device_events*>(events)->ready.number();
  }
  int next_device_event(verbs::device_events* events, verbs::device_event& out) noexcept override {
    auto& from = *static_cast<fake_device_events*>(events);
    if (from.waiting.empty()) return from.ready.set(false), -EAGAIN;
    out = from.waiting.front();
    from.waiting.pop_front();
    return 0;
  }

  bool devices_permitted() noexcept override { return fabric_.refused("devices_permitted") == 0; }
  int hold_device(ibv_context*) noexcept override {
    if (fabric_.fails()) return -ENOMEM;
    ++fabric_.alive_;
    ++on_device_;
    return 0;
  }
  void let_go_of_device(ibv_context*, bool) noexcept override {
    --fabric_.alive_;
    --on_device_;
  }
  int query_device(ibv_context*, ibv_device_attr& out) noexcept override {
    if (fabric_.fails()) return -ENOMEM;
    out = fabric_.attributes;
    if (fabric_.rules.windows) return 0;
    out.max_mw = 0;
    out.device_cap_flags &= ~(static_cast<unsigned>(IBV_DEVICE_MEM_WINDOW) | IBV_DEVICE_MEM_WINDOW_TYPE_2B);
    return 0;
  }
  ibv_node_type node_type(ibv_context* device) noexcept override { return device->device->node_type; }
  char const* device_name(ibv_context*) noexcept override { return "fake0"; }
  std::uint8_t port_of(rdma_cm_id*) noexcept override { return 1; }
  int query_gids(ibv_context*, std::span<ibv_gid_entry> out) noexcept override {
    std::vector<ibv_gid_entry> made(1);
    made[0].gid_type = IBV_GID_TYPE_ROCE_V1;
    for (address const& each : addresses_) {
      for (auto const type : {IBV_GID_TYPE_ROCE_V1, IBV_GID_TYPE_ROCE_V2}) {
        ibv_gid_entry& one = made.emplace_back();
        std::memcpy(one.gid.raw, each.bytes().data(), sizeof one.gid.raw);
        one.gid_type = type;
        one.gid_index = static_cast<std::uint32_t>(made.size() - 1);
      }
    }
    for (auto& each : made) each.port_num = 1;
    if (fabric_.on_gids) fabric_.on_gids(made);
    if (made.size() > out.size()) return -EINVAL;
    std::ranges::copy(made, out.begin());
    return static_cast<int>(made.size());
  }
  int allocate_domain(ibv_context* device, ibv_pd*& out) noexcept override {
    if (int const failed = make<ibv_pd>(out)) return failed;
    out->context = device;
    return 0;
  }
  int release_domain(ibv_pd* domain) noexcept override {
    RDSCO_CHECK(is_open(domain->context), "an adapter that is gone was used after the last identifier on it");
    return destroy(domain), 0;
  }

  // As rdma-core has it: gone with the last identifier.
  [[nodiscard]] bool is_open(ibv_context const* device) const {
    if (device == device_ && !removed_) return true;
    return std::ranges::any_of(fabric_.ids_, [&](fake_id const* each) { return each->verbs == device; });
  }
  int create_channel(ibv_context*, ibv_comp_channel*& out) noexcept override { return make<fake_channel>(out); }
  int destroy_channel(ibv_comp_channel* channel) noexcept override { return destroy(static_cast<fake_channel*>(channel)), 0; }
  int channel_descriptor(ibv_comp_channel* channel) noexcept override { return static_cast<fake_channel*>(channel)->ready.number(); }
  int create_queue(ibv_context*, int entries, void* context, ibv_comp_channel* channel, ibv_cq*& out) noexcept override {
    if (entries > fabric_.attributes.max_cqe) return -EINVAL;
    if (int const failed = make<fake_queue>(out)) return failed;
    auto& made = *static_cast<fake_queue*>(out);
    made.entries = static_cast<std::size_t>(entries);
    made.cq_context = context;
    made.channel = channel;
    return 0;
  }
  int destroy_queue(ibv_cq* queue) noexcept override {
    auto& ending = *static_cast<fake_queue*>(queue);
    RDSCO_CHECK(ending.taken == ending.acknowledged, "a completion queue was destroyed with unacknowledged events");
    std::erase(static_cast<fake_channel*>(ending.channel)->waiting, &ending);
    return destroy(&ending), 0;
  }
  int request_notification(ibv_cq* queue, bool solicited_only) noexcept override {
    if (fabric_.fails()) return -ENOMEM;
    outside const own(fabric_);
    auto& arms = *static_cast<fake_queue*>(queue);
    fabric_.arming_ = &arms;
    fabric_.run();
    fabric_.arming_ = nullptr;
    arms.armed = true;
    arms.solicited_only = solicited_only;
    if (fabric_.faults.spurious_events) fabric_.announce(arms);
    fabric_.run();
    return 0;
  }
  int next_queue_event(ibv_comp_channel* channel, void*& context) noexcept override {
    outside const own(fabric_);
    auto& from = *static_cast<fake_channel*>(channel);
    if (from.waiting.empty()) {
      ++fabric_.fruitless_reads;
      return from.ready.set(false), -EAGAIN;
    }
    ++fabric_.queue_events;
    ++from.waiting.front()->taken;
    context = from.waiting.front()->cq_context;
    from.waiting.pop_front();
    if (from.waiting.empty()) from.ready.set(false);
    return 0;
  }
  void acknowledge_queue_events(ibv_cq* queue, unsigned count) noexcept override { static_cast<fake_queue*>(queue)->acknowledged += count; }
  int poll(ibv_cq* queue, std::span<ibv_wc> out) noexcept override {
    outside const own(fabric_);
    auto& from = static_cast<fake_queue*>(queue)->completions;
    std::size_t const count = std::min(out.size(), from.size());
    if (count != 0 && fabric_.fail_poll_in_ != 0 && --fabric_.fail_poll_in_ == 0) return -EIO;
    std::copy_n(from.begin(), count, out.begin());
    from.erase(from.begin(), from.begin() + static_cast<std::ptrdiff_t>(count));
    return static_cast<int>(count);
  }

  int create_queue_pair(rdma_cm_id* id, ibv_pd* domain, ibv_qp_init_attr& attributes, ibv_qp*& out) noexcept override {
    ibv_device_attr const& most = fabric_.attributes;
    ibv_qp_cap const& cap = attributes.cap;
    if (std::cmp_greater(std::max(cap.max_send_wr, cap.max_recv_wr), most.max_qp_wr)) return -EINVAL;
    if (std::cmp_greater(std::max(cap.max_send_sge, cap.max_recv_sge), most.max_sge)) return -EINVAL;
    if (int const failed = make<fake_pair>(out)) return failed;
    auto& made = *static_cast<fake_pair*>(out);
    made.pd = domain;
    made.of = static_cast<fake_id*>(id);
    made.of->pair = &made;
    made.qp_num = ++fabric_.last_pair_;
    made.sends_to = static_cast<fake_queue*>(attributes.send_cq);
    made.receives_to = static_cast<fake_queue*>(attributes.recv_cq);
    made.cap = cap;
    return 0;
  }
  void destroy_queue_pair(rdma_cm_id* id) noexcept override {
    auto* const ending = std::exchange(static_cast<fake_id*>(id)->pair, nullptr);
    fabric_.left_bound += fabric_.memory_.let_go(*ending);
    destroy(ending);
  }
  int query_path(rdma_cm_id* id, ibv_qp*, verbs::pair_path& out) noexcept override {
    auto& of = *static_cast<fake_id*>(id);
    out.port = 1;
    out.service_level = 3;
    out.gid_index = fabric_.gid_index;
    std::memcpy(out.local.raw, of.local.host.bytes().data(), sizeof out.local.raw);
    std::memcpy(out.peer.raw, of.peer.host.bytes().data(), sizeof out.peer.raw);
    return 0;
  }
  int set_receiver_wait(ibv_qp*, std::uint8_t code) noexcept override {
    if (fabric_.fails()) return -ENOMEM;
    fabric_.receiver_waits.push_back(code);
    return 0;
  }
  int post_send(ibv_qp* pair, ibv_send_wr* first) noexcept override {
    outside const own(fabric_);
    auto& to = *static_cast<fake_pair*>(pair);
    for (ibv_send_wr const* each = first; each != nullptr; each = each->next) {
      if (fabric_.fails()) return fabric_.run(), -ENOMEM;
      if (int const refused = fabric_.refusal_of(to, *each)) return fabric_.run(), refused;
      fake_send const made = as_posted(*each);
      if (fabric_.on_posted) fabric_.on_posted(made.request, to.sends.size());
      if (to.failed && to.sends.empty())
        fabric_.complete(to, made, IBV_WC_WR_FLUSH_ERR);
      else
        to.sends.push_back(made);
    }
    return fabric_.run(), 0;
  }
  int post_receive(ibv_qp* pair, ibv_recv_wr* first) noexcept override {
    outside const own(fabric_);
    auto& to = *static_cast<fake_pair*>(pair);
    for (ibv_recv_wr const* each = first; each != nullptr; each = each->next) {
      if (fabric_.fails() || to.receives.size() >= to.cap.max_recv_wr) return -ENOMEM;
      if (std::cmp_greater(each->num_sge, to.cap.max_recv_sge)) return -EINVAL;
      fake_receive const made{each->wr_id, elements_of(*each)};
      if (to.failed)
        fabric_.complete(to, made, IBV_WC_WR_FLUSH_ERR);
      else
        to.receives.push_back(made);
    }
    return fabric_.run(), 0;
  }

  int register_memory(ibv_pd* domain, void* memory, std::size_t bytes, int access, ibv_mr*& out) noexcept override {
    around_registration const own(fabric_);
    if (int const failed = fabric_.refused("register_memory")) return failed;
    if (fabric_.on_registered) fabric_.on_registered(bytes);
    bool const from_zero = (access & IBV_ACCESS_ZERO_BASED) != 0;
    return make_region(domain, memory, bytes, from_zero ? 0 : reinterpret_cast<std::uintptr_t>(memory), access, out);
  }
  int register_memory_at(ibv_pd* domain, void* memory, std::size_t bytes, std::uint64_t first, int access, ibv_mr*& out) noexcept override {
    if (int const failed = fabric_.refused("register_memory_at")) return failed;
    if (fabric_.on_registered) fabric_.on_registered(bytes);
    std::uint64_t const here = reinterpret_cast<std::uintptr_t>(memory);
    return make_region(domain, memory, bytes, fabric_.rules.chosen_addresses ? first : here, access, out);
  }
  int deregister_memory(ibv_mr* region) noexcept override {
    auto& ending = *static_cast<fake_region*>(region);
    if (ending.windows != 0) return -EBUSY;
    fabric_.pulled_away += fabric_.uses(ending);
    fabric_.memory_.remove(ending);
    return destroy(&ending), 0;
  }
  int allocate_window(ibv_pd* domain, ibv_mw*& out) noexcept override {
    outside const own(fabric_);
    if (int const failed = fabric_.refused("allocate_window")) return failed;
    if (!fabric_.rules.windows) return -EOPNOTSUPP;
    if (int const failed = make<fake_window>(out)) return failed;
    fabric_.memory_.add(*static_cast<fake_window*>(out), domain);
    return 0;
  }
  int release_window(ibv_mw* window) noexcept override {
    auto& ending = *static_cast<fake_window*>(window);
    fabric_.memory_.remove(ending);
    return destroy(&ending), 0;
  }

 private:
  // Channels of the connection manager belong to no device.
  template <class T>
  static constexpr bool of_device = !std::is_same_v<T, fake_events>;

  struct outside {
    explicit outside(fake_fabric& of) noexcept : fabric(of) {
      if (fabric.outside != nullptr) fabric.outside(true);
    }
    ~outside() {
      if (fabric.outside != nullptr) fabric.outside(false);
    }
    outside(outside const&) = delete;
    outside& operator=(outside const&) = delete;
    fake_fabric& fabric;
  };

  struct around_registration {
    explicit around_registration(fake_fabric& of) noexcept : fabric(of) {
      if (fabric.around_registration) fabric.around_registration(true);
    }
    ~around_registration() {
      if (fabric.around_registration) fabric.around_registration(false);
    }
    around_registration(around_registration const&) = delete;
    around_registration& operator=(around_registration const&) = delete;
    fake_fabric& fabric;
  };

  int make_region(ibv_pd* domain, void* memory, std::size_t bytes, std::uint64_t first, int access, ibv_mr*& out) noexcept {
    outside const own(fabric_);
    bool const written = (access & (IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_ATOMIC)) != 0;
    if (written && (access & IBV_ACCESS_LOCAL_WRITE) == 0) return -EINVAL;
    if (bytes > fabric_.attributes.max_mr_size) return -EINVAL;
    if (int const failed = make<fake_region>(out)) return failed;
    fabric_.memory_.add(*static_cast<fake_region*>(out), domain, memory, bytes, first, access);
    return 0;
  }

  template <class T, class Base>
  int make(Base*& out) noexcept {
    if (fabric_.fails()) return -ENOMEM;
    if (removed_ && of_device<T> && !std::is_same_v<T, fake_id>) return -EIO;
    out = new T{};
    ++fabric_.alive_;
    on_device_ += of_device<T>;
    return 0;
  }
  template <class T>
  void destroy(T* what) noexcept {
    delete what;
    --fabric_.alive_;
    on_device_ -= of_device<T>;
  }

  fake_fabric& fabric_;
  std::vector<address> addresses_;
  ibv_device description_{};
  std::deque<ibv_context> devices_;  // the last one is in
  ibv_context* device_ = nullptr;
  fake_device_events* says_ = nullptr;
  bool removed_ = false;
  std::size_t on_device_ = 0;
};

fake_api* fake_fabric::api_of(address const& of) const {
  auto const found = std::ranges::find_if(apis_, [&](fake_api const* each) { return each->has(of); });
  return found == apis_.end() ? nullptr : *found;
}

void fake_fabric::tell_event(address const& of, ibv_event_type type) {
  verbs::device_event made;
  made.what = verbs::kind_of(type);
  made.type = type;
  told_.emplace_back(api_of(of), made);
  api_of(of)->say(made);
}

void fake_fabric::tell_event_of_connection(address const& of, address const& peer, ibv_event_type type) {
  for (fake_id const* const id : ids_) {
    if (id->pair == nullptr || id->local.host != of || id->peer.host != peer) continue;
    verbs::device_event made;
    made.what = verbs::kind_of(type);
    made.type = type;
    made.pair = id->pair;
    made.pair_number = id->pair->qp_num;
    if (made.what == verbs::device_event::kind::queue_failed) made.queue = id->pair->sends_to;
    told_.emplace_back(api_of(of), made);
    api_of(of)->say(made);
  }
}

void fake_fabric::tell_events_again() {
  for (auto const& [by, what] : told_) by->say(what);
}

void fake_fabric::remove_device(address const& of) { api_of(of)->remove_device(); }
void fake_fabric::restore_device(address const& of) { api_of(of)->insert_device(); }
std::size_t fake_fabric::alive_on(address const& of) const { return api_of(of)->on_device(); }

std::unique_ptr<verbs::api> fake_fabric::host(std::vector<address> addresses) {
  return std::make_unique<fake_api>(*this, std::move(addresses));
}

}  // namespace rdsco::test
