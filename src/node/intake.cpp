// SPDX-License-Identifier: BSD-2-Clause
#include "node/intake.hpp"

#include "node/node_core.hpp"
#include "node/ports.hpp"
#include "node/remote_extensions.hpp"
#include "protocol/multipath.hpp"

#include <cstring>

namespace rdsco::detail {

namespace {

protocol::node_extension own_extension(node_core const& node) noexcept {
  protocol::node_extension made;
  made.features = protocol::node_feature::ack_frames;
  made.generation = node.generation;
  return made;
}

bool acknowledgement_port(std::uint16_t port) noexcept { return port >= first_acknowledgement_port; }

datagram* datagram_of(node_core& node, datagram_kind kind, protocol::header const& head) noexcept {
  datagram* const made = datagram::make(*node.pool, 0);
  if (made == nullptr) return nullptr;
  made->kind = kind;
  made->source_port = head.source_port;
  made->destination_port = head.destination_port;
  made->extensions = head.extensions;
  return made;
}

}  // namespace

datagram* make_probe_datagram(node_core& node) noexcept {
  return datagram_of(node, datagram_kind::probe, protocol::make_probe(own_extension(node)));
}

void intake::drop(datagram* payload) noexcept {
  if (payload != nullptr) datagram::free(payload);
}

protocol::frame_kind intake::kind_of(protocol::header const& head) const noexcept {
  return protocol::classify(head, protocol::frame_rules{by_.lane.mode == acknowledgement_mode::frames});
}

datagram* intake::begin(protocol::header const& head) noexcept {
  refused_ = false;
  auto const kind = kind_of(head);
  bool wanted = kind == protocol::frame_kind::congestion_map;
  if (kind == protocol::frame_kind::data) wanted = by_.host.ports.find(head.destination_port) != nullptr;
  if (!wanted) return nullptr;
  datagram* const made = datagram::make(*by_.node.pool, head.length);
  refused_ = made == nullptr;
  return made;
}

bool intake::whole(protocol::header const& head, const_buffer payload) noexcept {
  datagram* const made = begin(head);
  if (made == nullptr) return !refused_ && finish(head, nullptr);
  if (!payload.empty()) std::memcpy(made->storage(), payload.data(), payload.size());
  return finish(head, made);
}

bool intake::acknowledge(std::uint64_t ack) noexcept {
  if (by_.lane.acknowledged(ack, by_.node.counted.rdsco_retired_by_ack)) return true;
  ++by_.node.counted.rdsco_ack_future;
  return false;
}

bool intake::finish(protocol::header const& head, datagram* payload) noexcept {
  auto const kind = kind_of(head);
  bool const true_ack = by_.lane.mode == acknowledgement_mode::frames && head.ack != 0;
  if (true_ack && !acknowledge(head.ack)) return drop(payload), false;
  if (protocol::is_numbered(kind)) return numbered(head, kind, payload);
  switch (kind) {
    case protocol::frame_kind::congestion_map:
      by_.load_peer_map(protocol::congestion_map::wire_bytes(payload->storage(), protocol::congestion_map_bytes));
      break;
    case protocol::frame_kind::bad_congestion_map: ++by_.node.counted.rdsco_drop_bad_map; break;
    case protocol::frame_kind::ignored: ++by_.node.counted.rdsco_drop_ignored; break;
    default: break;
  }
  drop(payload);
  return true;
}

bool intake::numbered(protocol::header const& head, protocol::frame_kind kind, datagram* payload) noexcept {
  // Who the peer is decides what its numbers mean, so a probe is read before its number is judged.
  if (kind == protocol::frame_kind::probe) learn_peer(head);
  bool const again = (head.flags & protocol::flag::retransmitted) != 0;
  bool const probing = kind == protocol::frame_kind::probe || kind == protocol::frame_kind::probe_pong;
  bool const at_once = probing || (head.flags & protocol::flag::ack_required) != 0;
  auto const verdict = by_.lane.received.admit(head.sequence, again);
  by_.lane.owe_acknowledgement(head.length, at_once);
  by_.node.counted.recv_ack_required += at_once;
  if (verdict == protocol::sequence_verdict::duplicate) {
    ++by_.node.counted.recv_drop_old_seq;
    drop(payload);
    return true;
  }
  if (verdict == protocol::sequence_verdict::restarted) ++by_.node.counted.rdsco_peer_restarted;
  traffic_ = true;
  switch (kind) {
    case protocol::frame_kind::data: deliver(head, payload); return true;
    case protocol::frame_kind::ping: answer_ping(head); break;
    case protocol::frame_kind::probe: answer_probe(); break;
    case protocol::frame_kind::probe_pong:
    case protocol::frame_kind::pong: take_pong(head); break;
    default: break;
  }
  drop(payload);
  return true;
}

void intake::deliver(protocol::header const& head, datagram* payload) noexcept {
  if (protocol::has_extensions(head.extensions)) [[unlikely]] {
    if (auto const told = remote_extensions(head.extensions); told.used) by_.offer_used(*told.used);
    if (payload != nullptr) payload->extensions = head.extensions;
  }
  socket_core* const to = by_.host.ports.find(head.destination_port);
  if (to == nullptr || payload == nullptr) {
    ++by_.node.counted.recv_drop_no_sock;
    drop(payload);
    return;
  }
  payload->sequence = head.sequence;
  payload->source_port = head.source_port;
  payload->destination_port = head.destination_port;
  payload->from = by_.key.peer;
  payload->epoch = by_.lane.epoch;
  if (to->deliver(*payload, by_)) {
    ++delivered_;
    return;
  }
  ++by_.node.counted.recv_drop_dead_sock;
  drop(payload);
}

void intake::queue_answer(datagram_kind kind, protocol::header const& answer) noexcept {
  datagram* const made = datagram_of(by_.node, kind, answer);
  if (made == nullptr) return;
  ++by_.node.counted.send_pong;
  ++by_.lane.answers_unsent;
  by_.lane.enqueue(*made);
}

// A peer that pings and does not read, or reads and does not acknowledge, makes us keep so many answers and no more.
bool intake::may_answer() noexcept {
  constexpr std::size_t unacknowledged_factor = 16;
  std::size_t const limit = by_.node.options.limits.queued_pongs;
  if (by_.lane.answers_unsent < limit && by_.lane.answers_unacknowledged < limit * unacknowledged_factor) return true;
  ++by_.node.counted.rdsco_drop_pong_limit;
  return false;
}

void intake::answer_ping(protocol::header const& head) noexcept {
  ++by_.node.counted.recv_ping;
  if (by_.congested(head.source_port)) return;  // kernels do not answer into a congested port either
  if (may_answer()) queue_answer(datagram_kind::pong, protocol::make_pong(head.source_port));
}

void intake::learn_peer(protocol::header const& head) noexcept {
  auto const offer = protocol::parse_offer(head);
  if (offer.node && by_.lane.received.peer_generation(offer.generation)) ++by_.node.counted.rdsco_peer_restarted;
  bool const frames = offer.node && (offer.node->features & protocol::node_feature::ack_frames) != 0;
  by_.lane.mode = frames ? acknowledgement_mode::frames : acknowledgement_mode::pongs;
}

void intake::answer_probe() noexcept {
  ++by_.node.counted.recv_ping;
  if (may_answer()) queue_answer(datagram_kind::probe_pong, protocol::make_probe_pong(own_extension(by_.node)));
}

void intake::take_pong(protocol::header const& head) noexcept {
  bool const again = (head.flags & protocol::flag::retransmitted) != 0;
  if (acknowledgement_port(head.destination_port) || head.destination_port == protocol::probe_port) {
    // One that is sent again was earned on an earlier connection and proves nothing about this one.
    if (again || by_.lane.pong.port != head.destination_port) {
      ++by_.node.counted.rdsco_drop_unrequested_pong;
      return;
    }
    by_.lane.pong_seen = true;
    // The probe's only says who the peer is: a kernel may have owed it since an earlier connection, unsent and so unflagged.
    if (head.destination_port == protocol::probe_port) {
      learn_peer(head);
      by_.lane.pong = {};
      return;
    }
    by_.lane.pong_arrived(head.destination_port, by_.node.counted.rdsco_retired_by_pong);
    return;
  }
  socket_core* const to = by_.host.ports.find(head.destination_port);
  if (to == nullptr || !to->expects_pong(by_)) {
    ++by_.node.counted.rdsco_drop_unrequested_pong;
    return;
  }
  if (datagram* const made = datagram::make(*by_.node.pool, 0)) deliver(head, made);
}

}  // namespace rdsco::detail
