// SPDX-License-Identifier: BSD-2-Clause
#include "support/scripted_stream.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <sys/socket.h>
#include <unistd.h>

namespace rdsco::test {

std::vector<std::byte> bytes_of(protocol::header const& head, std::span<std::byte const> payload) {
  std::vector<std::byte> made(protocol::header_bytes + payload.size());
  protocol::encode(head, std::span<std::byte, protocol::header_bytes>(made.data(), protocol::header_bytes));
  std::ranges::copy(payload, made.begin() + protocol::header_bytes);
  return made;
}

void scripted_stream::put(std::span<std::byte const> bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }

void scripted_stream::put(protocol::header head, std::span<std::byte const> payload) {
  if (!payload.empty()) head.length = static_cast<std::uint32_t>(payload.size());
  put(bytes_of(head, payload));
}

void scripted_stream::close() noexcept {
  if (descriptor_ != -1) ::close(std::exchange(descriptor_, -1));
}

void scripted_stream::reset() noexcept {
  linger const at_once{1, 0};
  if (descriptor_ != -1) ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close();
}

void scripted_stream::pump() {
  if (!open() || ended_) return;
  write();
  read();
}

void scripted_stream::write() {
  while (unsent() != 0) {
    ssize_t const sent = ::send(descriptor_, out_.data() + out_at_, unsent(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    out_at_ += static_cast<std::size_t>(sent);
  }
  out_.clear();
  out_at_ = 0;
  if (std::exchange(finishing_, false)) ::shutdown(descriptor_, SHUT_WR);
}

void scripted_stream::read() {
  std::array<std::byte, 64 * 1024> piece;
  while (received < read_limit) {
    std::size_t const wanted = std::min(piece.size(), read_limit - received);
    ssize_t const got = ::recv(descriptor_, piece.data(), wanted, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOTCONN)) return;
    if (got <= 0) {
      ended_ = true;
      reset_ = got < 0;
      return;
    }
    received += static_cast<std::size_t>(got);
    in_.insert(in_.end(), piece.begin(), piece.begin() + got);
    parse();
  }
}

void scripted_stream::parse() {
  while (in_.size() - in_at_ >= protocol::header_bytes) {
    std::byte const* const at = in_.data() + in_at_;
    protocol::header const head = protocol::decode(std::span<std::byte const, protocol::header_bytes>(at, protocol::header_bytes));
    if (in_.size() - in_at_ - protocol::header_bytes < head.length) break;
    std::byte const* const payload = at + protocol::header_bytes;
    bool const canonical = bytes_of(head) == std::vector<std::byte>(at, payload);
    frames.push_back({head, std::vector<std::byte>(payload, payload + head.length), canonical});
    in_at_ += protocol::header_bytes + head.length;
  }
  in_.erase(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(in_at_));
  in_at_ = 0;
}

}  // namespace rdsco::test
