// SPDX-License-Identifier: BSD-2-Clause
#include "support/scripted_peer.hpp"

#include "protocol/multipath.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace rdsco::test {

namespace {

sockaddr_in native(address const& host, std::uint16_t port) {
  sockaddr_in made{};
  made.sin_family = AF_INET;
  made.sin_port = htons(port);
  std::memcpy(&made.sin_addr, host.bytes().data() + 12, 4);
  return made;
}

int check(int answer, char const* what) {
  if (answer < 0) throw std::system_error(errno, std::generic_category(), what);
  return answer;
}

void set(int descriptor, int level, int option, int value) {
  check(::setsockopt(descriptor, level, option, &value, sizeof value), "setsockopt");
}

int bound_socket(address const& host, std::uint16_t port, std::optional<int> receive_buffer) {
  int const made = check(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
  set(made, SOL_SOCKET, SO_REUSEADDR, 1);
  if (receive_buffer) set(made, SOL_SOCKET, SO_RCVBUF, *receive_buffer);
  sockaddr_in const at = native(host, port);
  check(::bind(made, reinterpret_cast<sockaddr const*>(&at), sizeof at), "bind");
  return made;
}

}  // namespace

scripted_peer::scripted_peer(address const& host, address const& node, std::uint16_t port) : host_(host), node_(node), port_(port) {
  listener_ = bound_socket(host, port, std::nullopt);
  check(::listen(listener_, 128), "listen");
}

scripted_peer::~scripted_peer() { stop_listening(); }

void scripted_peer::stop_listening() noexcept {
  if (listener_ != -1) ::close(std::exchange(listener_, -1));
}

std::size_t scripted_peer::accepted() const noexcept {
  return static_cast<std::size_t>(std::ranges::count_if(streams, [](auto const& each) { return each->accepted(); }));
}

scripted_stream* scripted_peer::last() noexcept {
  bool const accepts = node_ < host_;
  auto const found = std::find_if(streams.rbegin(), streams.rend(), [&](auto const& each) { return each->accepted() == accepts; });
  return found == streams.rend() ? nullptr : found->get();
}

scripted_stream& scripted_peer::connect() { return connect_from(host_); }

scripted_stream& scripted_peer::connect_from(address const& host) {
  int const made = bound_socket(host, 0, receive_buffer);
  set(made, IPPROTO_TCP, TCP_NODELAY, 1);
  sockaddr_in const to = native(node_, port_);
  int const answer = ::connect(made, reinterpret_cast<sockaddr const*>(&to), sizeof to);
  if (answer < 0 && errno != EINPROGRESS) check(answer, "connect");
  streams.push_back(std::make_unique<scripted_stream>(made, false));
  return *streams.back();
}

void scripted_peer::accept_all() {
  while (listener_ != -1) {
    int const taken = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (taken < 0) return;
    set(taken, IPPROTO_TCP, TCP_NODELAY, 1);
    if (receive_buffer) set(taken, SOL_SOCKET, SO_RCVBUF, *receive_buffer);
    streams.push_back(std::make_unique<scripted_stream>(taken, true));
    if (on_accept) on_accept(*streams.back());
  }
}

void scripted_peer::pump() {
  accept_all();
  for (auto& each : streams) each->pump();
}

void kernel_peer::pump() {
  scripted_peer::pump();
  seen_.resize(streams.size(), 0);
  while (greeted_ < streams.size()) greet(*streams[greeted_++]);
  for (std::size_t at = 0; at < streams.size(); ++at) {
    scripted_stream& stream = *streams[at];
    while (seen_[at] < stream.frames.size()) take(stream, stream.frames[seen_[at]++]);
    stream.pump();
  }
}

void kernel_peer::greet(scripted_stream& stream) {
  if (!stream.open()) return;
  if (habits.announces_map) {
    protocol::header map;
    map.flags = protocol::flag::congestion_bitmap;
    stream.put(map, std::vector<std::byte>(protocol::congestion_map_bytes));
  }
  if (!habits.probes || !stream.accepted() || paths_known_) return;
  protocol::header probe;
  probe.sequence = next_sent++;
  probe.source_port = protocol::probe_port;
  probe.extensions = {std::byte{5}, std::byte{0}, std::byte{8}};
  stream.put(probe);
}

void kernel_peer::send(std::uint16_t from_port, std::uint16_t to_port, std::span<std::byte const> payload, std::uint8_t flags) {
  protocol::header head;
  head.sequence = next_sent++;
  head.source_port = from_port;
  head.destination_port = to_port;
  head.flags = flags;
  last()->put(head, payload);
}

void kernel_peer::answer(scripted_stream& stream, frame const& ping) {
  if (!habits.answers_pings) return;
  protocol::header pong;
  pong.sequence = next_sent++;
  pong.destination_port = ping.head.source_port;
  if (ping.head.source_port == protocol::probe_port) pong.extensions = {std::byte{5}, std::byte{0}, std::byte{8}};
  stream.put(pong);
}

void kernel_peer::take(scripted_stream& stream, frame const& one) {
  if (one.head.flags == protocol::flag::congestion_bitmap) {
    maps.push_back(one.payload);
    return;
  }
  bool const old = one.head.sequence < next_received;
  if (old && (one.head.flags & protocol::flag::retransmitted) != 0) {
    ++duplicates;
    return;
  }
  next_received = one.head.sequence + 1;
  if (one.head.source_port == protocol::probe_port || one.head.destination_port == protocol::probe_port) paths_known_ = true;
  if (one.head.destination_port == protocol::ping_port) {
    pings.push_back(one);
    if (one.head.source_port != 0) answer(stream, one);
  } else if (one.head.source_port == 0) {
    pongs.push_back(one);
  } else {
    delivered.push_back(one);
  }
}

}  // namespace rdsco::test
