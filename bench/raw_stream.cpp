// SPDX-License-Identifier: BSD-2-Clause
#include "raw_stream.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace rdsco::bench {

namespace {

sockaddr_in socket_address(std::string const& address, std::uint16_t port) {
  sockaddr_in made{};
  made.sin_family = AF_INET;
  made.sin_port = htons(port);
  if (::inet_pton(AF_INET, address.c_str(), &made.sin_addr) != 1) throw std::runtime_error("no IPv4 address: " + address);
  return made;
}

descriptor stream_socket_at(std::string const& address, std::uint16_t port) {
  descriptor made(static_cast<int>(checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket")));
  int const on = 1;
  checked(::setsockopt(made.number(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), "SO_REUSEADDR");
  checked(::setsockopt(made.number(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "TCP_NODELAY");
  sockaddr_in const at = socket_address(address, port);
  checked(::bind(made.number(), reinterpret_cast<sockaddr const*>(&at), sizeof at), "bind");
  return made;
}

bool again() noexcept { return errno == EAGAIN || errno == EINTR; }

}  // namespace

descriptor::~descriptor() {
  if (number_ >= 0) ::close(number_);
}

long checked(long value, char const* what) {
  if (value < 0) throw std::system_error(errno, std::generic_category(), what);
  return value;
}

descriptor listen_at(std::string const& address, std::uint16_t port) {
  descriptor made = stream_socket_at(address, port);
  checked(::listen(made.number(), 4096), "listen");
  return made;
}

descriptor accept_from(descriptor const& listener) {
  descriptor made(static_cast<int>(checked(::accept4(listener.number(), nullptr, nullptr, SOCK_CLOEXEC), "accept")));
  int const on = 1;
  checked(::setsockopt(made.number(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "TCP_NODELAY");
  return made;
}

descriptor connect_to(std::string const& from, std::string const& to, std::uint16_t port) {
  descriptor made = stream_socket_at(from, 0);
  sockaddr_in const at = socket_address(to, port);
  checked(::connect(made.number(), reinterpret_cast<sockaddr const*>(&at), sizeof at), "connect");
  return made;
}

void allow_many_descriptors() {
  rlimit limit{};
  checked(::getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
  limit.rlim_cur = limit.rlim_max;
  checked(::setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
}

void set_nonblocking(descriptor const& stream) {
  checked(::fcntl(stream.number(), F_SETFL, O_NONBLOCK), "O_NONBLOCK");
}

void send_all(int stream, std::span<std::byte const> bytes) {
  while (!bytes.empty()) {
    ssize_t const count = ::send(stream, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0 && again()) continue;
    bytes = bytes.subspan(static_cast<std::size_t>(checked(count, "send")));
  }
}

std::size_t receive_some(int stream, std::span<std::byte> bytes) {
  for (;;) {
    ssize_t const count = ::recv(stream, bytes.data(), bytes.size(), 0);
    if (count < 0 && again()) continue;
    return static_cast<std::size_t>(checked(count, "recv"));
  }
}

void receive_all(int stream, std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    std::size_t const count = receive_some(stream, bytes);
    if (count == 0) throw std::runtime_error("the stream ended early");
    bytes = bytes.subspan(count);
  }
}

}  // namespace rdsco::bench
