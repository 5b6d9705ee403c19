// SPDX-License-Identifier: BSD-2-Clause
#include "node/node_core.hpp"

#include "node/ports.hpp"

#include <rdsco/loop.hpp>
#include <rdsco/sleep.hpp>

#include <algorithm>

namespace rdsco::detail {

namespace {

// Numbers grow across restarts, so that a peer which remembers the last life never takes a new message for an old one.
std::uint64_t starting_number(loop& where, std::uint64_t mark) {
  auto const now = std::max<std::int64_t>(where.wall_time_ns(), 1);
  return std::max(static_cast<std::uint64_t>(now), mark + 1);
}

std::uint32_t new_generation(loop& where) {
  auto const drawn = static_cast<std::uint32_t>(where.random());
  return drawn == 0 ? 1 : drawn;
}

// A message must fit a block, a send of one must be taken while links hold a little memory, and one must be received while as much as
// is read into is held.
bool can_work(node_limits const& told) noexcept {
  constexpr std::size_t for_links = 256 * 1024;
  bool const some = told.message_bytes != 0 && told.peers != 0 && told.sockets != 0 && told.accepted_waiting != 0 &&
                    told.queued_pongs != 0 && told.unread_bytes_per_peer != 0;
  bool const time = told.partial_message > std::chrono::nanoseconds(0) && told.connect > std::chrono::nanoseconds(0);
  return some && time && told.message_bytes <= datagram::payload_max() && told.memory_bytes / 4 >= told.message_bytes + for_links;
}

}  // namespace

node_core::node_core(loop& on, node_options const& told)
    : where(on),
      options(told),
      pool(block_pool::create(&on.memory(), told.limits.memory_bytes)),
      generation(new_generation(on)),
      first_sequence_(starting_number(on, told.sequence_mark)) {}

node_core::~node_core() {
  close_regions();
  for (auto& entry : connections_) entry.second->lane.clear();
  while (!living_.empty()) living_.front().detach();
  connections_.clear();
  hosts_.clear();
  transports_.clear();
  pool->abandon();
}

transport& node_core::transport_for(node_options::owned_address const& own) {
  for (auto& known : transports_)
    if (known->name() == own.transport) return *known;
  return *transports_.emplace_back(own.make(*this));
}

std::error_code node_core::open() {
  if (!can_work(options.limits)) return errc::invalid_options;
  local_ = transports_.emplace_back(options.local_traffic(*this)).get();
  for (auto const& own : options.owned()) {
    if (own.at.is_unspecified() || own.at.is_multicast()) return errc::invalid_address;
    if (host(own.at) != nullptr) return errc::address_in_use;
    transport& by = transport_for(own);
    hosts_.push_back(std::make_unique<local_host>(*this, own, by));
    if (auto const why = by.open(*hosts_.back())) return why;
  }
  for (auto& each : transports_) each->start();
  open_ = true;
  return {};
}

local_host* node_core::host(address const& at) noexcept {
  for (auto& own : hosts_)
    if (own->at == at) return own.get();
  return nullptr;
}

connection* node_core::find(connection_key const& key) noexcept {
  auto const found = connections_.find(key);
  return found == connections_.end() ? nullptr : found->second.get();
}

transport& node_core::between(local_host& from, address const& peer) noexcept {
  local_host const* const own = host(peer);
  return own == nullptr || from.reaches(*own) ? from.by : *local_;
}

result<connection*> node_core::connect_to(local_host& from, address const& peer, std::uint8_t type_of_service) noexcept {
  if (type_of_service == 0) {
    if (connection* const known = find({from.at, peer, 0})) return known;
  }
  transport& by = between(from, peer);
  bool const told_apart = from.capabilities.type_of_service && &by != local_;
  connection_key const key{from.at, peer, told_apart ? type_of_service : std::uint8_t{0}};
  if (connection* const known = find(key)) return known;
  if (host(peer) == nullptr && !options.allows(peer)) return errc::peer_not_allowed;
  if (connections_.size() >= options.limits.peers) return errc::limit_reached;
  try {
    return make_connection(from, key, by);
  } catch (std::bad_alloc const&) {
    return errc::out_of_memory;
  }
}

// Once its transport carries a connection, nothing may be refused any more: an actor runs.
result<connection*> node_core::make_connection(local_host& from, connection_key const& key, transport& by) {
  auto made = std::make_unique<connection>(*this, from, key, first_sequence_);
  auto const place = connections_.emplace(key, nullptr).first;
  try {
    made->by = by.carry(*made);
  } catch (...) {
    connections_.erase(place);
    throw;
  }
  if (made->by == nullptr) {
    connections_.erase(place);
    return errc::peer_not_allowed;
  }
  made->lane.carried_by = made->by.get();
  place->second = std::move(made);
  return place->second.get();
}

void node_core::congestion_changed(local_host& changed) noexcept {
  ++counted.cong_update_queued;
  for (auto& each : transports_) each->congestion_changed(changed);
}

void node_core::wake_port_waiters() noexcept {
  for (auto& entry : connections_) entry.second->wake_port_waiters();
}

std::uint16_t node_core::free_port(local_host const& at) noexcept {
  constexpr std::uint32_t count = first_acknowledgement_port - first_bindable_port;
  auto const start = static_cast<std::uint32_t>(where.random() % count);
  for (std::uint32_t step = 0; step < count; ++step) {
    auto const port = static_cast<std::uint16_t>(first_bindable_port + (start + step) % count);
    if (at.ports.find(port) == nullptr) return port;
  }
  return 0;
}

result<socket_core*> node_core::bind(address const& at, std::uint16_t port, socket_options const& told) {
  if (!open_) return errc::closed;
  local_host* const own = host(at);
  if (own == nullptr) return errc::address_not_owned;
  if (sockets_ >= options.limits.sockets) return errc::limit_reached;
  if (port == 0) port = free_port(*own);
  if (port == 0) return errc::address_in_use;
  if (!bindable(port)) return errc::invalid_port;
  if (own->ports.find(port) != nullptr) return errc::address_in_use;
  own->ports.make_room();
  socket_core* const made = socket_core::make(*this, *own, port, told);
  living_.push_back(*made);
  own->ports.insert(port, *made);
  ++sockets_;
  return made;
}

void node_core::unbind(socket_core& socket, local_host& at) noexcept {
  at.ports.erase(socket.bound().port);
  --sockets_;
}

std::size_t node_core::unacknowledged() noexcept {
  std::size_t count = 0;
  for (auto& own : hosts_) own->ports.for_each([&](socket_core& each) { count += each.unacknowledged_count(); });
  return count;
}

void node_core::close_sockets() noexcept {
  for (auto& own : hosts_) {
    std::vector<socket_core*> open;
    open.reserve(own->ports.size());
    own->ports.for_each([&](socket_core& each) { open.push_back(&each); });
    for (socket_core* const each : open) {
      each->close();
      each->detach();
    }
  }
}

// No carrier uses anything any more.
void node_core::close_regions() noexcept {
  for (auto& entry : connections_) {
    offers_of_connection& offers = entry.second->offers;
    while (!offers.empty()) {
      offer_core& one = offers.front();
      one.hold();
      one.end(errc::closed);
      one.gone();
      one.detach();
      one.let_go();
    }
  }
  while (!regions_.empty()) regions_.front().detach();
}

task<> node_core::wait_for_acknowledgements(std::chrono::nanoseconds patience) {
  auto const deadline = where.now() + patience;
  // Coarse on purpose: closing is rare, and nothing is lost by looking again.
  while (unacknowledged() != 0 && where.now() < deadline) {
    auto const slept = co_await sleep(std::min<std::chrono::nanoseconds>(std::chrono::milliseconds(1), deadline - where.now()));
    if (slept.ec) co_return;
  }
}

task<std::size_t> node_core::close(std::chrono::nanoseconds patience) {
  if (open_) co_await wait_for_acknowledgements(patience);
  if (!open_) {
    // Whoever closes a node that is being closed is told when nothing is left, too.
    if (closing_) co_await closed_.wait(where);
    co_return 0;
  }
  open_ = false;
  closing_ = true;
  std::size_t const left = unacknowledged();
  close_sockets();
  for_each_region([](region_core& each) { each.retire(errc::closed); });
  for (auto& each : transports_) co_await each->close();
  close_regions();
  for (auto& entry : connections_) entry.second->lane.clear();
  closing_ = false;
  closed_.happen();
  co_return left;
}

std::uint64_t node_core::sequence_mark() const noexcept {
  std::uint64_t mark = first_sequence_;
  for (auto const& entry : connections_) mark = std::max(mark, entry.second->lane.numbers.next());
  return mark;
}

}  // namespace rdsco::detail
