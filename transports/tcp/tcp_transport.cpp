// SPDX-License-Identifier: BSD-2-Clause
#include "transports/tcp/tcp_transport.hpp"

#include "node/actor.hpp"
#include "protocol/address_order.hpp"

#include <rdsco/transport.hpp>

namespace rdsco {
namespace detail {

tcp_transport::tcp_transport(node_core& in)
    : node(in), scratch_(std::make_unique_for_overwrite<std::byte[]>(scratch_bytes)), actors_(in.where) {
  tuning_.send_buffer = in.options.tcp.send_buffer;
  tuning_.receive_buffer = in.options.tcp.receive_buffer;
}

tcp_transport::~tcp_transport() = default;

std::string_view tcp_transport::name() const noexcept { return tcp::name; }

std::error_code tcp_transport::open(local_host& host) {
  listeners_.push_back(std::make_unique<listener>(*this, host));
  return listeners_.back()->open();
}

void tcp_transport::start() {
  for (auto& each : listeners_) actors_.spawn(each->run());
}

std::unique_ptr<carrier> tcp_transport::carry(connection& by) {
  auto made = std::make_unique<tcp_link>(*this, by);
  // Whatever may be refused comes before anything points at what would go again.
  if (carried_.size() == carried_.capacity()) carried_.reserve(2 * carried_.size() + 8);
  actors_.spawn(run_path(by, *made));
  carried_.push_back({made.get(), &by});
  return made;
}

void tcp_transport::congestion_changed(local_host& host) noexcept {
  for (carried const& each : carried_) {
    if (&each.by->host != &host) continue;
    each.by->lane.map_due = true;
    each.link->map_changed();
  }
}

// From a peer that is not spoken to, or beyond a limit. What it may have said already is lost, as with a host that is not there.
void tcp_transport::refuse(io_handle stream) noexcept { node.where.io().close(stream, false); }

void tcp_transport::arrived(local_host& host, io_handle stream, address const& peer) {
  bool const own = node.host(peer) != nullptr;
  if (own || !node.options.allows(peer)) {
    ++node.counted.rdsco_accept_refused_peer;
    return refuse(stream);
  }
  auto const found = node.connect_to(host, peer, 0);
  if (found.ec) {
    ++node.counted.rdsco_accept_refused_limit;
    return refuse(stream);
  }
  auto& link = static_cast<tcp_link&>(*found.data->by);
  if (protocol::role_of(host.at.bytes(), peer.bytes()) != protocol::role::accepts) {
    ++node.counted.rdsco_accept_refused_order;
    ++node.counted.tcp_connect_raced;
    refuse(stream);
    return link.knocked();
  }
  if (link.offer(stream)) return;
  ++node.counted.rdsco_accept_refused_limit;
  refuse(stream);
}

mutable_buffer tcp_transport::scratch(tcp_link const& reader) noexcept {
  if (scratch_reader_ != nullptr && scratch_reader_ != &reader) return {};
  return {scratch_.get(), scratch_bytes};
}

task<> tcp_transport::close() {
  for (auto& each : listeners_) each->stop();
  for (carried const& each : carried_) each.link->stop();
  co_await actors_.join();
}

}  // namespace detail

std::unique_ptr<detail::transport> tcp::make(detail::node_core& node) { return std::make_unique<detail::tcp_transport>(node); }

}  // namespace rdsco
