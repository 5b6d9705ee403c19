// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "node/world.hpp"
#include "protocol/header.hpp"
#include "protocol/multipath.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <vector>

namespace rdsco::test {

/// The far end as plain TCP at 127.0.0.2, for a node that connects: it reads and says only what the test tells it to.
class raw_peer {
 public:
  struct frame {
    protocol::header head;
    std::vector<std::byte> payload;
  };

  explicit raw_peer(int receive_buffer = 0) {
    listening_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int const on = 1;
    ::setsockopt(listening_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (receive_buffer != 0) ::setsockopt(listening_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_port = htons(tcp_port());
    ::inet_pton(AF_INET, host.data(), &here.sin_addr);
    REQUIRE(::bind(listening_, reinterpret_cast<sockaddr const*>(&here), sizeof here) == 0);
    REQUIRE(::listen(listening_, 8) == 0);
  }
  raw_peer(raw_peer const&) = delete;
  raw_peer& operator=(raw_peer const&) = delete;
  ~raw_peer() {
    hang_up();
    ::close(listening_);
  }

  /// Completes when the node has connected.
  task<> accept() {
    REQUIRE(co_await eventually([&] { return (stream_ = ::accept4(listening_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0; }));
  }
  void hang_up() noexcept {
    if (stream_ >= 0) ::close(stream_);
    stream_ = -1;
    read_.clear();
  }
  /// The next frame.
  task<frame> next() {
    frame made;
    REQUIRE(co_await eventually([&] { return take(made); }));
    co_return made;
  }
  /// The next frame that carries data.
  task<frame> next_data() {
    for (;;) {
      frame made = co_await next();
      if (made.head.source_port != 0 && made.head.destination_port != 0 && made.head.length != protocol::congestion_map_bytes) co_return made;
    }
  }
  void say(protocol::header const& head) {
    std::array<std::byte, protocol::header_bytes> bytes{};
    protocol::encode(head, bytes);
    REQUIRE(::send(stream_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
  }
  void acknowledge(std::uint64_t sequence) {
    protocol::header made;
    made.ack = sequence;
    say(made);
  }
  /// What an rdsco node announces first: from here on it acknowledges.
  void announce(std::uint64_t sequence) {
    protocol::node_extension mine;
    mine.features = protocol::node_feature::ack_frames;
    mine.generation = 7;
    protocol::header probe = protocol::make_probe(mine);
    probe.sequence = sequence;
    say(probe);
  }

  static constexpr std::string_view host = "127.0.0.2";

 private:
  bool take(frame& into) {
    std::array<std::byte, 65536> piece;
    ssize_t const count = ::recv(stream_, piece.data(), piece.size(), 0);
    if (count > 0) read_.insert(read_.end(), piece.begin(), piece.begin() + count);
    if (read_.size() < protocol::header_bytes) return false;
    into.head = protocol::decode(std::span<std::byte const, protocol::header_bytes>(read_.data(), protocol::header_bytes));
    std::size_t const whole = protocol::header_bytes + into.head.length;
    if (read_.size() < whole) return false;
    into.payload.assign(read_.begin() + protocol::header_bytes, read_.begin() + static_cast<std::ptrdiff_t>(whole));
    read_.erase(read_.begin(), read_.begin() + static_cast<std::ptrdiff_t>(whole));
    return true;
  }

  int listening_ = -1;
  int stream_ = -1;
  std::vector<std::byte> read_;
};

}  // namespace rdsco::test
