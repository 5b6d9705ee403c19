// SPDX-License-Identifier: BSD-2-Clause
#pragma once

// How a connection over verbs comes about and ends: included by verbs_link.hpp.
#include "protocol/address_order.hpp"
#include "protocol/cm_private_data.hpp"
#include "transports/verbs/verbs_link.hpp"
#include "verbs/event_status.hpp"
#include "verbs/status.hpp"

#include <cerrno>
#include <utility>

namespace rdsco::detail {

template <verbs_fabric Fabric>
verbs_link<Fabric>::verbs_link(verbs_transport& owner, connection& by) noexcept
    : owner_(owner),
      by_(by),
      loop_(by.node.where),
      api_(owner.calls()),
      signal_(loop_),
      gives_way_(protocol::role_of(by.key.local.bytes(), by.key.peer.bytes()) == protocol::role::accepts),
      queue_(api_, this, [](void* self) noexcept { static_cast<verbs_link*>(self)->signal_.raise(event_completions); }),
      receives_(api_),
      sends_(api_),
      timer_(*this),
      backoff_(by.node.options.verbs.reconnect_min, by.node.options.verbs.reconnect_max),
      intake_(by),
      keys_(api_) {}

template <verbs_fabric Fabric>
verbs_link<Fabric>::~verbs_link() {
  loop_.cancel_timer(timer_);
  refuse_request();
  release();
}

template <verbs_fabric Fabric>
void verbs_link<Fabric>::stop() noexcept {
  stopping_ = true;
  signal_.raise(event_stop);
}

template <verbs_fabric Fabric>
void verbs_link<Fabric>::break_off() noexcept {
  broken_ = true;
  signal_.raise(event_work);
}

// A request on top of a connection that is up means that the peer knows nothing of that one: it started anew.
template <verbs_fabric Fabric>
bool verbs_link<Fabric>::asked(verbs_request const& request) noexcept {
  bool const attempting = stage_ == stage::resolving_address || stage_ == stage::resolving_route || stage_ == stage::connecting;
  if (stopping_ || (attempting && connected_by_us_ && !gives_way_)) return false;
  refuse_request();
  request_ = request;
  request.id->context = static_cast<verbs::cm_handler*>(this);
  signal_.raise(event_asked);
  return true;
}

template <verbs_fabric Fabric>
void verbs_link<Fabric>::refuse_request() noexcept {
  if (request_) owner_.reject(std::exchange(request_, std::nullopt)->id);
}

template <verbs_fabric Fabric>
void verbs_link<Fabric>::cm_event_arrived(verbs::cm_event const& event) noexcept {
  using kind = verbs::cm_event::kind;
  bool const ends = event.what == kind::rejected || event.what == kind::failed || event.what == kind::disconnected ||
                    event.what == kind::device_removed;
  if (request_ && event.id == request_->id && ends) return refuse_request();  // the peer did not wait
  if (event.what == kind::device_removed) static_cast<void>(owner_.device_removed(api_.device_of(event.id)));
  if (event.id != id_) return;
  if (ends) note_end(event);
  if (event.what == kind::address_resolved) stage_ = stage::resolving_route;
  if (event.what == kind::route_resolved) stage_ = stage::connecting;
  if (event.what == kind::established && stage_ == stage::connecting) {
    stage_ = stage::established;
    reply_bytes_ = std::min(reply_.size(), event.told().size());
    std::copy_n(event.told().begin(), reply_bytes_, reply_.begin());
  }
  signal_.raise(event_manager);
}

template <verbs_fabric Fabric>
void verbs_link<Fabric>::note_end(verbs::cm_event const& event) noexcept {
  using kind = verbs::cm_event::kind;
  // Whether it minded the version it does not say: the attempt behind the next one proposes the newer one again.
  if (event.what == kind::rejected) falls_back_ = version_.major == 4;
  stage_ = stage::ended;
  switch (event.what) {
    case kind::rejected: trouble_ = std::make_error_code(std::errc::connection_refused); break;
    case kind::failed: trouble_ = std::make_error_code(std::errc::host_unreachable); break;
    case kind::device_removed: trouble_ = errc::no_device; break;
    default: trouble_ = std::make_error_code(std::errc::connection_reset); break;
  }
}

// Nothing of a connection that is over matches: release() leaves neither pair nor queue nor device.
template <verbs_fabric Fabric>
void verbs_link<Fabric>::device_event_arrived(verbs::device const& from, verbs::device_event const& event) noexcept {
  using kind = verbs::device_event::kind;
  if (device_ != &from) return;
  bool const of_pair = pair_ != nullptr && event.pair == pair_ && event.pair_number == pair_->qp_num;
  bool const of_queue = queue_.native() != nullptr && event.queue == queue_.native();
  switch (event.what) {
    case kind::device_failed: return note_failure(event);
    case kind::pair_failed:
      if (of_pair) note_failure(event);
      return;
    case kind::queue_failed:
      if (of_queue) note_failure(event);
      return;
    case kind::peer_heard: break;
    default: return;
  }
  if (!of_pair || connected_by_us_ || stage_ != stage::connecting) return;
  peer_announced_ = true;
  static_cast<void>(api_.notify_heard(id_));
  signal_.raise(event_manager);
}

template <verbs_fabric Fabric>
void verbs_link<Fabric>::note_failure(verbs::device_event const& event) noexcept {
  if (!said_) ++by_.node.counted.rdsco_verbs_connection_failed;
  said_ = trouble_ = verbs::code_of(event.type);
  stage_ = stage::ended;
  signal_.raise(event_manager);
}

// False: this side could not make what a connection needs; the reason is kept for whoever looks.
template <verbs_fabric Fabric>
bool verbs_link<Fabric>::went_well(int answer) noexcept {
  if (answer == 0) return true;
  ++by_.node.counted.rdsco_verbs_setup_failed;
  trouble_ = setup_error(answer);
  return false;
}

// A message is as good as the word of the connection manager, which may come later or get lost.
template <verbs_fabric Fabric>
bool verbs_link<Fabric>::peer_is_heard() noexcept {
  if (connected_by_us_ || stage_ != stage::connecting) return false;
  if (peer_announced_) return true;
  if (!queue_.armed() && queue_.arm() != 0) broken_ = true;
  return !broken_ && look() && completions_[taken_].status == IBV_WC_SUCCESS;
}

template <verbs_fabric Fabric>
task<> verbs_link<Fabric>::wait_for_event(std::optional<time_point> until) {
  if (until) plan_at(*until);
  static_cast<void>(co_await signal_.next());
}

template <verbs_fabric Fabric>
task<bool> verbs_link<Fabric>::establish() {
  if (intake_.traffic_flowed()) backoff_.traffic_flowed();
  schedule_attempt();
  for (;;) {
    if (stopping_) {
      refuse_request();
      co_return false;
    }
    bool connected = false;
    if (request_) {
      connected = co_await accept_request();
    } else if (!wants_connection()) {
      co_await wait_for_event(std::nullopt);
    } else if (loop_.now() < next_attempt_) {
      co_await wait_for_event(next_attempt_);
    } else {
      connected = co_await connect_out();
      schedule_attempt();
    }
    if (!connected) continue;
    falls_back_ = false;
    peer_life_ = asked_life_;
    trouble_.clear();
    vendor_error_ = 0;
    co_return true;
  }
}

template <verbs_fabric Fabric>
task<bool> verbs_link<Fabric>::connect_out() {
  by_.lane.happened(protocol::path_event::connect);
  connected_by_us_ = true;
  bool const connected = co_await go_through_stages();
  if (connected) co_return true;
  ++by_.node.counted.rdsco_connect_failed;
  release();
  by_.lane.happened(protocol::path_event::connect_failed);
  co_return false;
}

template <verbs_fabric Fabric>
task<bool> verbs_link<Fabric>::go_through_stages() {
  time_point const deadline = loop_.now() + by_.node.options.limits.connect;
  adopt();
  if (!went_well(begin_resolving())) co_return false;
  bool done = co_await stage_is_over(stage::resolving_address, deadline);
  if (!done || !went_well(api_.resolve_route(id_, owner_.milliseconds_left(deadline)))) co_return false;
  done = co_await stage_is_over(stage::resolving_route, deadline);
  if (!done || !went_well(request_connection())) co_return false;
  done = co_await stage_is_over(stage::connecting, deadline);
  if (!done) co_return false;
  shorten_waits();
  bool const is_rds = take_reply();
  if (!is_rds) trouble_ = std::make_error_code(std::errc::bad_message);
  co_return is_rds;
}

// False: the attempt is over, because the peer or the time says so, or because somebody else's comes first.
template <verbs_fabric Fabric>
task<bool> verbs_link<Fabric>::stage_is_over(stage current, time_point deadline) {
  while (stage_ == current) {
    bool const late = loop_.now() >= deadline;
    if (late) trouble_ = errc::timed_out;
    if (late || stopping_ || broken_ || (request_ && connected_by_us_)) co_return false;
    if (peer_is_heard()) stage_ = stage::established;
    if (stage_ == stage::established) break;
    co_await wait_for_event(deadline);
  }
  co_return stage_ != stage::ended;
}

template <verbs_fabric Fabric>
int verbs_link<Fabric>::begin_resolving() noexcept {
  if (int const failed = owner_.manager().create_id(*this, id_)) return failed;
  stage_ = stage::resolving_address;
  if (by_.key.type_of_service != 0) static_cast<void>(api_.set_type_of_service(id_, by_.key.type_of_service));
  return owner_.resolve(id_, by_.key.local, by_.key.peer);
}

template <verbs_fabric Fabric>
protocol::protocol_version verbs_link<Fabric>::proposal() const noexcept {
  verbs_version const newest = by_.node.options.verbs.newest;
  if (falls_back_ || newest == verbs_version::v3_1) return protocol::version_3_1;
  return newest == verbs_version::v4_0 ? protocol::version_4_0 : protocol::version_4_1;
}

template <verbs_fabric Fabric>
int verbs_link<Fabric>::request_connection() noexcept {
  if (int const failed = make_queue_pair()) return failed;
  version_ = proposal();
  std::array<std::byte, protocol::cm_private_v6_bytes> room{};
  verbs::cm_parameters with;
  with.private_data = tell(room);
  with.responder_resources = owner_.read_depth(api_.device_of(id_));
  with.initiator_depth = with.responder_resources;
  return api_.connect(id_, with);
}

template <verbs_fabric Fabric>
task<bool> verbs_link<Fabric>::accept_request() {
  verbs_request const request = *std::exchange(request_, std::nullopt);
  by_.lane.happened(protocol::path_event::connect);
  connected_by_us_ = false;
  adopt();
  id_ = request.id;
  version_ = request.version;
  stage_ = stage::connecting;
  time_point const deadline = loop_.now() + by_.node.options.limits.connect;
  bool const sound = take_request(request);
  if (!sound) trouble_ = std::make_error_code(std::errc::bad_message);
  bool connected = sound && went_well(accept_connection(request));
  if (!connected) owner_.refuse(id_);
  if (connected) connected = co_await stage_is_over(stage::connecting, deadline);
  if (connected) co_return true;
  release();
  by_.lane.happened(protocol::path_event::connect_failed);
  co_return false;
}

template <verbs_fabric Fabric>
bool verbs_link<Fabric>::take_request(verbs_request const& request) noexcept {
  if constexpr (can.credits) {
    if (request.initial_credit == 0) return false;
  }
  return take_acknowledgement(request.earlier);
}

template <verbs_fabric Fabric>
int verbs_link<Fabric>::accept_connection(verbs_request const& request) noexcept {
  if (int const failed = make_queue_pair()) return failed;
  if constexpr (can.credits) credits_.granted(request.initial_credit);
  std::array<std::byte, protocol::cm_private_v6_bytes> room{};
  verbs::cm_parameters with;
  with.private_data = tell(room);
  std::uint8_t const own = owner_.read_depth(api_.device_of(id_));
  with.responder_resources = std::min(own, request.initiator_depth);
  with.initiator_depth = std::min(own, request.responder_resources);
  if (int const failed = api_.accept(id_, with)) return failed;
  shorten_waits();
  return 0;
}

// The connection manager leaves the wait at what a queue pair begins with, which is 655 ms.
template <verbs_fabric Fabric>
void verbs_link<Fabric>::shorten_waits() noexcept {
  constexpr std::uint8_t as_in_kernels = 10;  // 0.32 ms
  if constexpr (!can.credits) static_cast<void>(api_.set_receiver_wait(pair_, as_in_kernels));
}

// The receives are posted before the peer can know that there is a connection.
template <verbs_fabric Fabric>
int verbs_link<Fabric>::make_queue_pair() noexcept {
  verbs::device* const device = owner_.device_for(api_.device_of(id_), by_.key.local);
  if (device == nullptr) return -ENODEV;
  device_ = device;
  device_->use();
  auto const rings = owner_.rings_on(*device);
  if (!rings) return -EOPNOTSUPP;
  rings_ = *rings;
  if constexpr (can.credits) credits_ = credits(rings->receives);
  auto const entries = static_cast<int>(rings->receives + rings->sends);
  if (int const failed = queue_.open(device->native(), device->completions(), entries)) return failed;
  if (int const failed = receives_.open(device->domain(), rings->receives)) return failed;
  if (int const failed = sends_.open(device->domain(), rings->sends)) return failed;
  ibv_qp_init_attr attributes{};
  attributes.send_cq = attributes.recv_cq = queue_.native();
  attributes.qp_type = IBV_QPT_RC;
  attributes.cap.max_send_wr = rings->sends;
  attributes.cap.max_recv_wr = rings->receives;
  attributes.cap.max_send_sge = attributes.cap.max_recv_sge = 1;
  if (int const failed = api_.create_queue_pair(id_, device->domain(), attributes, pair_)) return failed;
  return post_receives(true) ? 0 : -ENOMEM;
}

template <verbs_fabric Fabric>
std::span<std::byte const> verbs_link<Fabric>::tell(std::span<std::byte> room) noexcept {
  protocol::cm_private_data told;
  told.source = by_.key.local.bytes();
  told.destination = by_.key.peer.bytes();
  told.version = version_;
  if (connected_by_us_) told.minor_mask = protocol::minor_mask_of(version_);
  told.type_of_service = by_.key.type_of_service;
  told.life = protocol::life_of(by_.node.generation);
  if (peer_life_ != 0) {
    told.ack = acknowledgement();
    told.ack_life = peer_life_;
  }
  if constexpr (can.credits) told.initial_credit = credits_.announce();
  if (by_.key.local.is_v4()) {
    protocol::encode_v4(told, room.template first<protocol::cm_private_v4_bytes>());
    return room.first(protocol::cm_private_v4_bytes);
  }
  protocol::encode_v6(told, room.template first<protocol::cm_private_v6_bytes>());
  return room;
}

// A reply of a version that is not known is no RDS.
template <verbs_fabric Fabric>
bool verbs_link<Fabric>::take_reply() noexcept {
  auto const family = by_.key.local.is_v4() ? protocol::address_family::v4 : protocol::address_family::v6;
  auto const told = protocol::decode_cm(family, std::span<std::byte const>(reply_.data(), reply_bytes_));
  auto const version = told ? protocol::version_of_reply(*told) : std::nullopt;
  falls_back_ = !version && version_.major == 4;
  if (!version) return false;
  version_ = *version;
  if constexpr (can.credits) {
    if (told->initial_credit == 0) return false;
    credits_.granted(told->initial_credit);
  }
  return take_acknowledgement(verbs_acknowledgement(*told));
}

// Where connections end before an acknowledgement gets through, the next one begins with it. What somebody else received is none of ours:
// a peer that has not noticed that this node started anew, or a kernel.
template <verbs_fabric Fabric>
bool verbs_link<Fabric>::take_acknowledgement(verbs_acknowledgement const& earlier) noexcept {
  asked_life_ = earlier.peer_life;
  if (earlier.number == 0 || earlier.of_life != protocol::life_of(by_.node.generation)) return true;
  if (by_.lane.acknowledged_earlier(earlier.number, by_.node.counted.rdsco_retired_by_ack)) return keys_.told_of_earlier(by_), true;
  ++by_.node.counted.rdsco_ack_future;
  return false;
}

template <verbs_fabric Fabric>
void verbs_link<Fabric>::adopt() noexcept {
  broken_ = false;
  failure_ = IBV_WC_SUCCESS;
  said_.clear();
  peer_announced_ = false;
  found_ = taken_ = 0;
  heard_ = false;
  acknowledge_by_.reset();
  reply_bytes_ = 0;
  assembly_.reset();
  intake_.begin_connection();
}

// Everything of the connection: afterwards the adapter uses none of its memory.
template <verbs_fabric Fabric>
void verbs_link<Fabric>::release() noexcept {
  stop_asking();
  destroy_pair();
  queue_.close();
  receives_.close();
  sends_.close();
  if (id_ != nullptr) api_.destroy_id(std::exchange(id_, nullptr));
  if (device_ != nullptr) owner_.put(*std::exchange(device_, nullptr));
  if (incoming_ != nullptr) datagram::free(std::exchange(incoming_, nullptr));
  sending_ = nullptr;
  stage_ = stage::none;
}

template <verbs_fabric Fabric>
task<> verbs_link<Fabric>::tear_down() {
  take_remaining();
  if (failure_ != IBV_WC_SUCCESS && failure_ != IBV_WC_WR_FLUSH_ERR) trouble_ = verbs::code_of(failure_);
  if (said_) trouble_ = said_;
  if (request_) ++by_.node.counted.rdsco_connection_replaced;
  if (stage_ == stage::established) static_cast<void>(api_.disconnect(id_));
  loop_.cancel_timer(timer_);
  release();
  co_return;
}

}  // namespace rdsco::detail
