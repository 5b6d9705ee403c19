// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>

/// The kernel's AF_RDS sockets.
namespace rdsco::kernel_lab {

/// An IPv4 or IPv6 address with an RDS (or UDP) port.
class socket_address {
 public:
  socket_address() = default;
  /// Errors: std::invalid_argument when `text` is no numeric address.
  socket_address(std::string const& text, std::uint16_t port);

  [[nodiscard]] sockaddr const* data() const { return reinterpret_cast<sockaddr const*>(&storage_); }
  [[nodiscard]] sockaddr* data() { return reinterpret_cast<sockaddr*>(&storage_); }
  [[nodiscard]] socklen_t size() const;
  [[nodiscard]] int family() const { return storage_.ss_family; }
  [[nodiscard]] std::uint16_t port() const;
  void set_port(std::uint16_t port);
  [[nodiscard]] in6_addr mapped() const;   // an IPv4 address as ::ffff:a.b.c.d
  [[nodiscard]] std::string text() const;  // "10.0.0.1 4000"

 private:
  sockaddr_storage storage_{};
};

/// A failed system call, and whether it means that the kernel has no RDS at all.
class socket_error : public std::runtime_error {
 public:
  explicit socket_error(std::string const& call);
  [[nodiscard]] bool no_rds() const { return no_rds_; }

 private:
  bool no_rds_;
};

enum class send_result : std::uint8_t { sent, buffer_full, congested, interrupted };
enum class receive_result : std::uint8_t { datagram, congestion_update, nothing };

struct arrival {
  receive_result result = receive_result::nothing;
  std::size_t size = 0;  // of the whole datagram, even when the buffer was too small
  socket_address source{};
};

class rds_socket {
 public:
  rds_socket(socket_address const& local, int send_buffer, int receive_buffer);
  ~rds_socket();
  rds_socket(rds_socket const&) = delete;
  rds_socket& operator=(rds_socket const&) = delete;

  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] socket_address const& local() const { return local_; }

  /// A blocking send waits for buffer space, for a free destination port and for the kernel's multipath handshake.
  send_result send(std::span<std::byte const> datagram, socket_address const& to, bool blocking);
  /// Never blocks.
  arrival receive(std::span<std::byte> buffer);
  /// Datagrams of this socket that the peer's host has not acknowledged: closing the socket would withdraw them.
  [[nodiscard]] std::size_t unacknowledged() const;

 private:
  void set_option(int level, int name, int value, char const* what) const;
  void set_buffer(int forced, int plain, int bytes, char const* what) const;
  [[nodiscard]] std::size_t count_own_messages(int which) const;

  int descriptor_ = -1;
  socket_address local_;
};

}  // namespace rdsco::kernel_lab
