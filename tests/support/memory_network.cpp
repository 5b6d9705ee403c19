// SPDX-License-Identifier: BSD-2-Clause
#include "support/memory_network.hpp"

#include <algorithm>
#include <cerrno>

namespace rdsco::test {
namespace {

constexpr std::uint16_t first_ephemeral_port = 32768;

void mark(stream_end& end) noexcept { ++end.changes; }

}  // namespace

void memory_network::silence(address const& one, address const& other, bool on) {
  auto const key = std::minmax(one, other);
  if (on)
    silent_.insert(key);
  else
    silent_.erase(key);
}

bool memory_network::silent(address const& one, address const& other) const { return silent_.contains(std::minmax(one, other)); }

void memory_network::reset_streams(address const& one, address const& other) {
  for (auto& [client, server] : streams_) {
    if (std::minmax(client->local.host, server->local.host) != std::minmax(one, other)) continue;
    client->reset = server->reset = true;
    mark(*client);
    mark(*server);
  }
}

int memory_network::listen(endpoint local, std::size_t backlog, std::shared_ptr<listening_end>& out) {
  if (local.port == 0) local.port = free_port(local.host);
  if (listeners_.contains(local)) return -EADDRINUSE;
  out = std::make_shared<listening_end>();
  out->local = local;
  out->backlog = std::max<std::size_t>(backlog, 1);
  listeners_.emplace(local, out);
  return 0;
}

void memory_network::unlisten(listening_end& listener) {
  for (auto& waiting : listener.waiting) close(*waiting, true);
  listeners_.erase(listener.local);
}

std::uint16_t memory_network::free_port(address const& host) {
  auto& last = last_port_.try_emplace(host, first_ephemeral_port).first->second;
  return ++last == 0 ? last = first_ephemeral_port : last;
}

std::shared_ptr<stream_end> memory_network::open(address const& local, detail::stream_tuning const& tuning) {
  auto end = std::make_shared<stream_end>();
  end->local = endpoint(local, 0);
  end->outgoing_max = tuning.send_buffer ? static_cast<std::size_t>(*tuning.send_buffer) : buffer_bytes;
  end->incoming_max = tuning.receive_buffer ? static_cast<std::size_t>(*tuning.receive_buffer) : buffer_bytes;
  return end;
}

bool memory_network::unanswered(stream_end const& from, endpoint const& to) const {
  if (silent(from.local.host, to.host)) return true;
  auto const found = listeners_.find(to);
  return found != listeners_.end() && found->second->waiting.size() >= found->second->backlog;
}

int memory_network::connect(std::shared_ptr<stream_end> const& from, endpoint const& to) {
  if (unanswered(*from, to)) return -EINPROGRESS;
  auto const found = listeners_.find(to);
  if (found == listeners_.end()) return -ECONNREFUSED;
  listening_end& listener = *found->second;
  auto server = open(to.host, detail::stream_tuning());
  server->local = from->peer = to;
  from->local.port = free_port(from->local.host);
  server->peer = from->local;
  server->other = from;
  from->other = server;
  from->connected = server->connected = true;
  streams_.emplace_back(from, server);
  listener.waiting.push_back(std::move(server));
  ++listener.changes;
  mark(*from);
  return 0;
}

void memory_network::deliver() {
  for (auto& [client, server] : streams_) {
    if (silent(client->local.host, server->local.host)) continue;
    deliver(*client, *server);
    deliver(*server, *client);
  }
  // An end that was closed lives on until its last bytes are delivered.
  auto const finished = [](stream_end const& end) { return end.closed && (end.end_delivered || end.abort || end.reset); };
  std::erase_if(streams_, [&](pair_of_ends const& each) { return finished(*each.first) && finished(*each.second); });
}

void memory_network::deliver(stream_end& from, stream_end& to) {
  if (from.abort) {
    if (!to.reset) mark(to);
    to.reset = true;
    return;
  }
  if (from.reset) return;
  if (to.closed && !from.outgoing.empty()) {
    from.reset = true;  // nobody is there any more
    mark(from);
    return;
  }
  std::size_t const room = to.incoming_max - std::min(to.incoming_max, to.incoming.size());
  std::size_t const count = std::min(from.outgoing.size(), room);
  if (count > 0) {
    auto const end = from.outgoing.begin() + static_cast<std::ptrdiff_t>(count);
    to.incoming.insert(to.incoming.end(), from.outgoing.begin(), end);
    from.outgoing.erase(from.outgoing.begin(), end);
    from.acknowledged += count;
    mark(from);
    mark(to);
  }
  if (from.outgoing.empty() && from.end_wanted && !from.end_delivered) {
    from.end_delivered = to.end_of_stream = true;
    mark(to);
  }
}

void memory_network::close(stream_end& end, bool reset) {
  end.closed = true;
  // TCP answers with a reset when what it had received is never read.
  if (reset || !end.incoming.empty()) end.abort = true;
  end.end_wanted = true;
  deliver();
}

}  // namespace rdsco::test
