// SPDX-License-Identifier: BSD-2-Clause
#include "transports/verbs/verbs_transport.hpp"

#include "transports/verbs/frame_slots.hpp"
#include "transports/verbs/verbs_region.hpp"
#include "verbs/pages.hpp"
#include "verbs/registration_thread.hpp"

#include <rdsco/this_task.hpp>

#include <algorithm>
#include <cerrno>

namespace rdsco::detail {

namespace {

constexpr int backlog = 128;

// Of memory that is being registered, in one turn of the loop: a millisecond or so, as everybody else's share.
constexpr std::size_t pages_of_a_turn = 2u << 20;

// Nothing of a connection is made yet, so no limit of locked memory is met.
std::error_code open_error(int answer) noexcept { return answer == -ENOMEM ? errc::out_of_memory : setup_error(answer); }

// Of one device, or all of the transport.
template <class F>
void for_each_region_on(verbs_transport const& by, verbs::device const* on, F each) noexcept {
  by.node.for_each_region([&](region_core& one) {
    if (&one.host()->by == &by && (on == nullptr || &static_cast<verbs_region&>(one).device() == on)) each(one);
  });
}

}  // namespace

std::error_code setup_error(int answer) noexcept {
  switch (-answer) {
    case 0: return {};
    case EADDRINUSE: return errc::address_in_use;
    case EACCES:
    case EPERM: return errc::device_not_permitted;
    case ENOENT:
    case ENODEV:
    case ENXIO:
    case ENOSYS:
    case EADDRNOTAVAIL: return errc::no_device;
    case ENOMEM: return errc::locked_memory_limit;
    case EOPNOTSUPP: return errc::device_unsuitable;
    default: return {-answer, std::generic_category()};
  }
}

/// Hears requests for one address of the node.
class verbs_transport::listener final : public verbs::cm_handler {
 public:
  listener(verbs_transport& owner, local_host& host) noexcept : owner_(owner), host_(host) {}
  listener(listener const&) = delete;
  listener& operator=(listener const&) = delete;
  ~listener() { close(); }

  [[nodiscard]] int open() noexcept {
    verbs::api& calls = owner_.calls();
    if (int const failed = owner_.manager().create_id(*this, id_)) return failed;
    if (int const failed = calls.bind_address(id_, endpoint(host_.at, owner_.port_of(host_.at)))) return failed;
    return calls.listen(id_, backlog);
  }
  void close() noexcept {
    if (id_ != nullptr) owner_.calls().destroy_id(std::exchange(id_, nullptr));
  }
  [[nodiscard]] rdma_cm_id* id() const noexcept { return id_; }
  [[nodiscard]] local_host const& host() const noexcept { return host_; }

  /// The adapter has them, or had them before it was pulled out.
  bool windows = false;

  void cm_event_arrived(verbs::cm_event const& event) noexcept override {
    using kind = verbs::cm_event::kind;
    if (event.what == kind::connect_request) return owner_.requested(host_, event);
    if (event.what != kind::device_removed) return;
    owner_.device_removed(owner_.calls().device_of(id_));
    close();
  }

 private:
  verbs_transport& owner_;
  local_host& host_;
  rdma_cm_id* id_ = nullptr;
};

verbs_transport::verbs_transport(node_core& in, std::unique_ptr<verbs::api> calls, fabric_capabilities const& of)
    : node(in),
      api_(std::move(calls)),
      can_(of),
      changed_(in.where),
      retry_(*this),
      manager_(*api_, in.where, this, &watch_ended),
      actors_(in.where) {}

verbs_transport::~verbs_transport() { listeners_.clear(); }

std::uint16_t verbs_transport::port_of(address const& at) const noexcept {
  return at.is_v4() ? node.options.verbs.port_v4 : node.options.verbs.port_v6;
}

std::error_code verbs_transport::open(local_host& host) {
  if (!manager_open_) {
    if (int const failed = manager_.open()) return permitted(open_error(failed));
    manager_open_ = true;
  }
  listeners_.push_back(std::make_unique<listener>(*this, host));
  if (int const failed = listeners_.back()->open()) return permitted(open_error(failed));
  ibv_context* const on = api_->device_of(listeners_.back()->id());
  if (on == nullptr) return permitted(errc::no_device);
  if (api_->node_type(on) != can_.node_type) return errc::device_unsuitable;
  verbs::device* opened = nullptr;
  if (int const failed = open_device(on, host.at, opened)) return open_error(failed);
  listeners_.back()->windows = opened->has_windows();
  auto const rings = rings_on(*opened);
  return rings ? try_memory(*opened, *rings) : make_error_code(errc::device_unsuitable);
}

// A limit of locked memory shows here, not in the middle of the night at a connection.
std::error_code verbs_transport::try_memory(verbs::device& on, ring_sizes const& rings) noexcept {
  verbs::owned_region tried(*api_);
  std::size_t const slots = std::size_t{rings.receives} + rings.sends;
  return setup_error(tried.open(on.domain(), slots * frame_slots::slot_bytes, IBV_ACCESS_LOCAL_WRITE));
}

// To whoever may not open them, rdma-core shows no adapters.
std::error_code verbs_transport::permitted(std::error_code why) const noexcept {
  return why == errc::no_device && !api_->devices_permitted() ? make_error_code(errc::device_not_permitted) : why;
}

void verbs_transport::start() {
  started_ = true;
  if (!manager_open_) return;
  manager_.start();
  for (auto& each : devices_) each->start();
  actors_.spawn(keep());
}

verbs_transport::listener& verbs_transport::listener_of(local_host const& host) const noexcept {
  return **std::find_if(listeners_.begin(), listeners_.end(), [&](auto const& each) { return &each->host() == &host; });
}

rdma_cm_id* verbs_transport::listener_id(local_host const& host) const noexcept { return listener_of(host).id(); }

int verbs_transport::open_device(ibv_context* native_device, address const& at, verbs::device*& out) noexcept {
  for (auto& known : devices_) {
    if (known->native() != native_device) continue;
    out = known->removed() ? nullptr : known.get();
    return known->removed() ? -ENODEV : 0;
  }
  if (native_device == nullptr || api_->node_type(native_device) != can_.node_type) return -ENODEV;
  try {
    auto made = std::make_unique<verbs::device>(*api_, node.where, native_device, *this);
    if (int const failed = made->open(manager_, at)) return failed;
    devices_.push_back(std::move(made));
  } catch (std::bad_alloc const&) {
    return -ENOMEM;
  }
  out = devices_.back().get();
  if (started_) out->start();
  return 0;
}

verbs::device* verbs_transport::device_for(ibv_context* native_device, address const& at) noexcept {
  verbs::device* found = nullptr;
  static_cast<void>(open_device(native_device, at, found));
  return found;
}

void verbs_transport::put(verbs::device& used) noexcept {
  used.unuse();
  if (used.removed() && !used.used()) changed_.raise(1);
}

void verbs_transport::device_removed(ibv_context* native_device) noexcept {
  for (auto& each : devices_) {
    if (each->native() != native_device || each->removed()) continue;
    each->remove();
    for_each_region_on(*this, each.get(), [](region_core& one) { one.retire(errc::no_device); });
    ++node.counted.rdsco_verbs_device_removed;
  }
  changed_.raise(1);
}

// The connection manager may not have noticed.
void verbs_transport::device_failed(ibv_context* native_device) noexcept {
  for (auto& each : listeners_)
    if (each->id() != nullptr && api_->device_of(each->id()) == native_device) each->close();
  device_removed(native_device);
}

void verbs_transport::device_event_arrived(verbs::device& from, verbs::device_event const& event) noexcept {
  using kind = verbs::device_event::kind;
  auto& counted = node.counted;
  switch (event.what) {
    case kind::device_failed:
      if (from.removed()) return;
      ++counted.rdsco_verbs_device_failed;
      device_failed(from.native());
      break;
    case kind::port_down: ++counted.rdsco_verbs_port_down; break;
    case kind::port_up: ++counted.rdsco_verbs_port_up; break;
    case kind::port_changed: ++counted.rdsco_verbs_port_changed; break;
    default: break;
  }
  for (connection* const each : connections_) static_cast<verbs_carrier&>(*each->by).device_event_arrived(from, event);
}

// Whoever removes an adapter waits until everybody has let go of it.
void verbs_transport::drop_removed() noexcept {
  for (auto& each : devices_)
    if (each->removed() && !each->used()) close_regions(each.get());
  for (auto& each : devices_)
    if (each->removed() && !each->used() && each->running()) each->stop();
  std::erase_if(devices_, [](auto const& each) { return each->removed() && !each->used() && !each->running(); });
}

// Nothing tells when the adapter is back.
void verbs_transport::listen_again() noexcept {
  bool missing = false;
  for (auto& each : listeners_) {
    if (each->id() != nullptr) continue;
    if (each->open() == 0 && device_for(api_->device_of(each->id()), each->host().at) != nullptr) continue;
    each->close();
    missing = true;
  }
  if (!missing) return;
  retry_.when = node.where.now() + node.options.verbs.reconnect_max;
  node.where.add_timer(retry_);
}

task<> verbs_transport::keep() {
  while (!closing_) {
    drop_removed();
    listen_again();
    static_cast<void>(co_await changed_.next());
  }
  node.where.cancel_timer(retry_);
}

std::uint8_t verbs_transport::read_depth(ibv_context* native_device) const noexcept {
  for (auto const& each : devices_)
    if (each->native() == native_device && !each->removed()) return static_cast<std::uint8_t>(std::clamp(each->attributes().max_qp_rd_atom, 0, 255));
  return 0;
}

int verbs_transport::milliseconds_left(time_point deadline) const noexcept {
  auto const left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - node.where.now());
  return static_cast<int>(std::max<std::int64_t>(left.count(), 1));
}

int verbs_transport::resolve(rdma_cm_id* id, address const& local, address const& peer) noexcept {
  auto const limit = std::chrono::duration_cast<std::chrono::milliseconds>(node.options.limits.connect);
  return api_->resolve_address(id, endpoint(local, 0), endpoint(peer, port_of(peer)), static_cast<int>(limit.count()));
}

// What the private data claim must be what the connection manager saw, or anybody could speak for anybody.
bool verbs_transport::acceptable(local_host& host, address const& peer, protocol::cm_private_data const& told) const noexcept {
  bool const allowed = node.host(peer) != nullptr ? &node.between(host, peer) == this : node.options.allows(peer);
  if (!allowed) return false;
  if (!protocol::has_content(told)) return true;
  return told.destination == host.at.bytes() && told.source == peer.bytes();
}

// Nobody else may come in under another address of the node: its own connection must be asking just now, and may have given up since.
bool verbs_transport::expected(local_host const& host, address const& peer, std::uint8_t type_of_service) const noexcept {
  if (node.host(peer) == nullptr) return true;
  connection const* const asks = node.find({peer, host.at, type_of_service});
  return asks != nullptr && static_cast<verbs_carrier const&>(*asks->by).asking();
}

void verbs_transport::requested(local_host& host, verbs::cm_event const& event) noexcept {
  event.id->context = nullptr;
  address const peer = api_->peer_of(event.id).host;
  auto const family = host.at.is_v4() ? protocol::address_family::v4 : protocol::address_family::v6;
  auto const told = protocol::decode_cm(family, event.told());
  if (!told || !acceptable(host, peer, *told)) {
    ++node.counted.rdsco_accept_refused_peer;
    return reject(event.id);
  }
  if (!expected(host, peer, told->type_of_service)) {
    ++node.counted.rdsco_accept_refused_order;
    return reject(event.id);
  }
  auto const version = protocol::choose_version(*told);
  auto const found = node.connect_to(host, peer, told->type_of_service);
  if (!version || found.ec) {
    ++node.counted.rdsco_accept_refused_limit;
    return reject(event.id);
  }
  verbs_request request;
  request.id = event.id;
  request.version = *version;
  request.responder_resources = event.responder_resources;
  request.initiator_depth = event.initiator_depth;
  request.initial_credit = told->initial_credit;  // only: can.credits
  request.earlier = verbs_acknowledgement(*told);
  if (static_cast<verbs_carrier&>(*found.data->by).asked(request)) return;
  ++node.counted.rdsco_accept_refused_order;
  reject(event.id);
}

// A kernel that gets a larger number waits for something else to end its attempt.
void verbs_transport::refuse(rdma_cm_id* id) noexcept {
  std::int32_t const code = protocol::cm_reject_code;
  static_cast<void>(api_->reject(id, std::as_bytes(std::span(&code, 1))));
}

void verbs_transport::reject(rdma_cm_id* id) noexcept {
  refuse(id);
  api_->destroy_id(id);
}

verbs::device* verbs_transport::device_at(local_host const& host) noexcept {
  rdma_cm_id* const id = listener_id(host);
  return id == nullptr ? nullptr : device_for(api_->device_of(id), host.at);
}

bool verbs_transport::windows_at(local_host const& host) noexcept {
  listener& at = listener_of(host);
  if (verbs::device const* const on = device_at(host)) at.windows = on->has_windows();
  return at.windows;
}

/// Memory is being registered on a device, which stays meanwhile, as the node does.
class verbs_transport::registration_under_way {
 public:
  registration_under_way(verbs_transport& by, verbs::device& on) noexcept : by_(by), on_(on) {
    on_.use();
    ++by_.registrations_;
  }
  registration_under_way(registration_under_way const&) = delete;
  registration_under_way& operator=(registration_under_way const&) = delete;
  ~registration_under_way() {
    by_.put(on_);
    if (--by_.registrations_ == 0) by_.changed_.raise(1);
  }

 private:
  verbs_transport& by_;
  verbs::device& on_;
};

/// Why memory is not to be registered after all, while it is.
errc verbs_transport::pointless(verbs::device const& on, bool stopped) const noexcept {
  if (closing_) return errc::closed;
  if (on.removed()) return errc::no_device;
  return stopped ? errc::canceled : errc();
}

// To find a page costs the kernel more than to pin it, and it finds them all in one call.
task<errc> verbs_transport::populate(verbs::device const& on, mutable_buffer memory) {
  event_signal turn(node.where);
  for (std::size_t at = 0; at < memory.size(); at += pages_of_a_turn) {
    bool const stopped = co_await this_task::stop_requested();
    if (errc const why = pointless(on, stopped); why != errc()) co_return why;
    verbs::populate(memory.subspan(at, std::min(pages_of_a_turn, memory.size() - at)));
    co_await turn.next_turn();
  }
  co_return errc();
}

task<result<region_core*>> verbs_transport::register_memory(local_host& host, mutable_buffer memory) {
  verbs::device* const on = device_at(host);
  if (on == nullptr) co_return errc::no_device;
  registration_under_way const held(*this, *on);
  auto made = std::make_unique<verbs_region>(host, memory, *api_, *on);
  int const sink = can_.read_sink_needs_remote_write ? IBV_ACCESS_REMOTE_WRITE : 0;
  int const windows = on->has_windows() ? IBV_ACCESS_MW_BIND : 0;
  int const access_flags = IBV_ACCESS_LOCAL_WRITE | windows | sink;
  bool const large = memory.size() > pages_of_a_turn;
  int failed = 0;
  if (large && node.options.verbs.registration_thread) {
    verbs::registration_thread call(*api_, node.where, on->domain(), memory, access_flags);
    failed = co_await call;
    made->take(call.made());
    // Who gets no thread is told what a thread lacks.
    if (failed == -EAGAIN) co_return errc::out_of_memory;
  } else {
    if (large) {
      auto populating = populate(*on, memory);
      if (errc const why = co_await std::move(populating); why != errc()) co_return why;
    }
    failed = made->open(access_flags);
  }
  bool const stopped = co_await this_task::stop_requested();
  if (errc const why = pointless(*on, stopped); why != errc()) {
    made->close();
    co_return why;
  }
  if (failed != 0) co_return setup_error(failed);
  co_return made.release();
}

void verbs_transport::close_regions(verbs::device const* on) noexcept {
  for_each_region_on(*this, on, [](region_core& one) { one.close(); });
}

void verbs_transport::congestion_changed(local_host& host) noexcept {
  for (connection* const each : connections_) {
    if (&each->host != &host) continue;
    each->lane.map_due = true;
    each->by->map_changed();
  }
}

task<> verbs_transport::close() {
  closing_ = true;
  changed_.raise(1);
  for (auto& each : listeners_) each->close();
  for (connection* const each : connections_) each->by->stop();
  co_await actors_.join();
  while (registrations_ != 0) static_cast<void>(co_await changed_.next());
  close_regions(nullptr);
  co_await end_watches();
}

task<> verbs_transport::end_watches() {
  if (manager_.running()) manager_.stop();
  for (auto& each : devices_)
    if (each->running()) each->stop();
  auto const running = [this] {
    return manager_.running() || std::any_of(devices_.begin(), devices_.end(), [](auto const& each) { return each->running(); });
  };
  while (running()) static_cast<void>(co_await changed_.next());
  devices_.clear();
}

}  // namespace rdsco::detail
