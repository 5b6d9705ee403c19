// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

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
enum class receive_result : std::uint8_t { datagram, notification, nothing };

/// How an operation on remote memory ended.
struct remote_end {
  std::uint64_t token = 0;
  std::int32_t status = 0;
};

struct arrival {
  receive_result result = receive_result::nothing;
  std::size_t size = 0;  // of the whole datagram, even when the buffer was too small
  socket_address source{};
  std::uint64_t cookie = 0;            // memory that the sender offers; 0: none
  std::vector<remote_end> ended{};     // with a notification; with none of them it is a congestion update
};

/// What sendmsg() is told besides a datagram: one control message. Lifetime: `value` refers to the caller's.
struct send_control {
  int type = 0;
  std::span<std::byte const> value;
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
  /// Never blocks. `buffer_full`: or there is no connection yet, for memory to be registered on.
  send_result send(std::span<std::byte const> datagram, socket_address const& to, send_control const& control);
  /// Never blocks.
  arrival receive(std::span<std::byte> buffer);
  /// Datagrams of this socket that the peer's host has not acknowledged: closing the socket would withdraw them.
  [[nodiscard]] std::size_t unacknowledged() const;
  [[nodiscard]] bool connected(socket_address const& peer) const;
  /// Memory offered by this socket is out of reach when it returns. False: there is none by that cookie, or not any more.
  bool free_memory(std::uint64_t cookie);

 private:
  void set_option(int level, int name, int value, char const* what) const;
  void set_buffer(int forced, int plain, int bytes, char const* what) const;
  [[nodiscard]] std::size_t count_own_messages(int which) const;

  int descriptor_ = -1;
  socket_address local_;
};

}  // namespace rdsco::kernel_lab
