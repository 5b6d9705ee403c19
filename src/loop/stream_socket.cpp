// SPDX-License-Identifier: BSD-2-Clause
#include "loop/stream_socket.hpp"

#include "loop/socket_address.hpp"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace rdsco::detail {
namespace {

int set_option(int descriptor, int level, int name, int value) noexcept {
  return ::setsockopt(descriptor, level, name, &value, sizeof value) == 0 ? 0 : -errno;
}

int bind_socket(int descriptor, socket_address const& at) noexcept {
  if (at.family() == AF_INET6) {
    if (int const failed = set_option(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 1)) return failed;
  }
  return ::bind(descriptor, at.data(), at.length) == 0 ? 0 : -errno;
}

int listening(int descriptor, socket_address const& at, int backlog) noexcept {
  if (int const failed = set_option(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)) return failed;
  if (int const failed = bind_socket(descriptor, at)) return failed;
  return ::listen(descriptor, backlog) == 0 ? 0 : -errno;
}

}  // namespace

int listen_socket(endpoint const& local, int backlog, int& out) noexcept {
  socket_address const at(local);
  int const descriptor = ::socket(at.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -errno;
  if (int const failed = listening(descriptor, at, backlog)) {
    ::close(descriptor);
    return failed;
  }
  out = descriptor;
  return 0;
}

int open_stream_socket(address const& local, stream_tuning const& tuning, int& out) noexcept {
  socket_address const at(endpoint(local, 0));
  int const descriptor = ::socket(at.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -errno;
  // The port is chosen at connect(), when the peer is known, so that one address can have more streams than ports.
  (void)set_option(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
  if (int const failed = bind_socket(descriptor, at)) {
    ::close(descriptor);
    return failed;
  }
  tune_stream(descriptor, tuning);
  out = descriptor;
  return 0;
}

void tune_stream(int descriptor, stream_tuning const& tuning) noexcept {
  auto const seconds = [](std::chrono::seconds value) { return static_cast<int>(value.count()); };
  (void)set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, tuning.no_delay ? 1 : 0);
  if (tuning.keepalive_idle.count() > 0) {
    (void)set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
    (void)set_option(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, seconds(tuning.keepalive_idle));
    (void)set_option(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, seconds(tuning.keepalive_interval));
    (void)set_option(descriptor, IPPROTO_TCP, TCP_KEEPCNT, tuning.keepalive_probes);
  }
  if (tuning.send_buffer) (void)set_option(descriptor, SOL_SOCKET, SO_SNDBUF, *tuning.send_buffer);
  if (tuning.receive_buffer) (void)set_option(descriptor, SOL_SOCKET, SO_RCVBUF, *tuning.receive_buffer);
}

std::pair<endpoint, endpoint> socket_ends(int descriptor) noexcept {
  socket_address local, peer;
  local.length = peer.length = sizeof local.storage;
  if (::getsockname(descriptor, local.data(), &local.length) != 0) local = socket_address();
  if (::getpeername(descriptor, peer.data(), &peer.length) != 0) peer = socket_address();
  return {local.to_endpoint(), peer.to_endpoint()};
}

std::ptrdiff_t try_send_on(int descriptor, std::span<const_buffer const> from) noexcept {
  constexpr int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
  ssize_t sent = 0;
  do {
    if (from.size() == 1) {
      sent = ::send(descriptor, from.front().data(), from.front().size(), flags);
    } else {
      std::array<iovec, io_backend::buffers_per_call> parts;
      msghdr message{};
      message.msg_iov = parts.data();
      message.msg_iovlen = fill_iovecs(from, std::span<iovec>(parts));
      sent = ::sendmsg(descriptor, &message, flags);
    }
  } while (sent < 0 && errno == EINTR);
  return sent >= 0 ? sent : -errno;
}

std::ptrdiff_t try_receive_on(int descriptor, std::span<mutable_buffer const> into) noexcept {
  ssize_t received = 0;
  do {
    if (into.size() == 1) {
      received = ::recv(descriptor, into.front().data(), into.front().size(), MSG_DONTWAIT);
    } else {
      std::array<iovec, io_backend::buffers_per_call> parts;
      msghdr message{};
      message.msg_iov = parts.data();
      message.msg_iovlen = fill_iovecs(into, std::span<iovec>(parts));
      received = ::recvmsg(descriptor, &message, MSG_DONTWAIT);
    }
  } while (received < 0 && errno == EINTR);
  return received >= 0 ? received : -errno;
}

std::size_t unread_on(int descriptor) noexcept {
  int bytes = 0;
  return ::ioctl(descriptor, SIOCINQ, &bytes) == 0 && bytes > 0 ? static_cast<std::size_t>(bytes) : 0;
}

std::optional<std::size_t> unacknowledged_on(int descriptor) noexcept {
  int bytes = 0;
  if (::ioctl(descriptor, SIOCOUTQ, &bytes) != 0 || bytes < 0) return std::nullopt;
  return static_cast<std::size_t>(bytes);
}

void close_socket(int descriptor, bool reset) noexcept {
  if (reset) {
    linger const at_once{1, 0};
    (void)::setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }
  ::close(descriptor);
}

}  // namespace rdsco::detail
