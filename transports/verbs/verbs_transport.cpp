// SPDX-License-Identifier: BSD-2-Clause
#include "transports/verbs/verbs_transport.hpp"

#include <algorithm>
#include <cerrno>

namespace rdsco::detail {

namespace {

constexpr int backlog = 128;

std::error_code from_errno(int answer) noexcept {
  switch (-answer) {
    case 0: return {};
    case EADDRINUSE: return errc::address_in_use;
    case ENODEV:
    case EADDRNOTAVAIL: return errc::no_device;
    case ENOMEM: return errc::out_of_memory;
    default: return {-answer, std::generic_category()};
  }
}

}  // namespace

/// Hears requests for one address of the node.
class verbs_transport::listener final : public verbs::cm_handler {
 public:
  listener(verbs_transport& owner, local_host& host) noexcept : owner_(owner), host_(host) {}
  listener(listener const&) = delete;
  listener& operator=(listener const&) = delete;
  ~listener() { close(); }

  [[nodiscard]] int open(std::uint16_t port) noexcept {
    verbs::api& calls = owner_.calls();
    if (int const failed = owner_.manager().create_id(*this, id_)) return failed;
    if (int const failed = calls.bind_address(id_, endpoint(host_.at, port))) return failed;
    return calls.listen(id_, backlog);
  }
  void close() noexcept {
    if (id_ != nullptr) owner_.calls().destroy_id(std::exchange(id_, nullptr));
  }
  [[nodiscard]] rdma_cm_id* id() const noexcept { return id_; }

  void cm_event_arrived(verbs::cm_event const& event) noexcept override {
    if (event.what == verbs::cm_event::kind::connect_request) owner_.requested(host_, event);
  }

 private:
  verbs_transport& owner_;
  local_host& host_;
  rdma_cm_id* id_ = nullptr;
};

verbs_transport::verbs_transport(node_core& in, std::unique_ptr<verbs::api> calls, ibv_node_type node_type)
    : node(in),
      api_(std::move(calls)),
      node_type_(node_type),
      ended_(in.where),
      manager_(*api_, in.where, this, &watch_ended),
      actors_(in.where) {}

verbs_transport::~verbs_transport() { listeners_.clear(); }

std::uint16_t verbs_transport::port_of(address const& at) const noexcept {
  return at.is_v4() ? node.options.verbs.port_v4 : node.options.verbs.port_v6;
}

std::error_code verbs_transport::open(local_host& host) {
  if (!manager_open_) {
    if (int const failed = manager_.open()) return from_errno(failed);
    manager_open_ = true;
  }
  listeners_.push_back(std::make_unique<listener>(*this, host));
  if (int const failed = listeners_.back()->open(port_of(host.at))) return from_errno(failed);
  ibv_context* const on = api_->device_of(listeners_.back()->id());
  if (on == nullptr) return errc::no_device;
  if (api_->node_type(on) != node_type_) return errc::device_unsuitable;
  return device_for(on) == nullptr ? std::error_code(errc::device_unsuitable) : std::error_code();
}

void verbs_transport::start() {
  started_ = true;
  if (manager_open_) manager_.start();
  for (auto& each : devices_) each->start();
}

verbs::device* verbs_transport::device_for(ibv_context* native_device) noexcept {
  for (auto& known : devices_)
    if (known->native() == native_device) return known.get();
  if (native_device == nullptr || api_->node_type(native_device) != node_type_) return nullptr;
  try {
    auto made = std::make_unique<verbs::device>(*api_, node.where, native_device, this, &watch_ended);
    if (made->open() != 0) return nullptr;
    devices_.push_back(std::move(made));
  } catch (std::bad_alloc const&) {
    return nullptr;
  }
  if (started_) devices_.back()->start();
  return devices_.back().get();
}

std::uint8_t verbs_transport::read_depth(ibv_context* native_device) noexcept {
  verbs::device const* const of = device_for(native_device);
  return of == nullptr ? std::uint8_t{0} : static_cast<std::uint8_t>(std::clamp(of->attributes().max_qp_rd_atom, 0, 255));
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
bool verbs_transport::acceptable(local_host const& host, address const& peer, protocol::cm_private_data const& told) const noexcept {
  if (!node.options.allows(peer)) return false;
  if (!protocol::has_content(told)) return true;
  return told.destination == host.at.bytes() && told.source == peer.bytes();
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
  if (static_cast<verbs_carrier&>(*found.data->by).offer(request)) return;
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

void verbs_transport::congestion_changed(local_host& host) noexcept {
  for (connection* const each : connections_) {
    if (&each->host != &host) continue;
    each->lane.map_due = true;
    each->by->map_changed();
  }
}

task<> verbs_transport::close() {
  for (auto& each : listeners_) each->close();
  for (connection* const each : connections_) each->by->stop();
  co_await actors_.join();
  co_await end_watches();
}

task<> verbs_transport::end_watches() {
  if (manager_.running()) manager_.stop();
  for (auto& each : devices_) each->stop();
  auto const running = [this] {
    return manager_.running() || std::any_of(devices_.begin(), devices_.end(), [](auto const& each) { return each->running(); });
  };
  while (running()) static_cast<void>(co_await ended_.next());
  devices_.clear();
}

}  // namespace rdsco::detail
