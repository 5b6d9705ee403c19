// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/afrds/rds_socket.hpp"

#include "kernel/afrds/info.hpp"

#include <arpa/inet.h>
#include <linux/rds.h>
#include <net/if.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace rdsco::kernel_lab {

namespace {

sockaddr_in const& as_v4(sockaddr const* address) { return *reinterpret_cast<sockaddr_in const*>(address); }
sockaddr_in6 const& as_v6(sockaddr const* address) { return *reinterpret_cast<sockaddr_in6 const*>(address); }

send_result outcome_of(ssize_t sent, socket_address const& to) {
  if (sent >= 0) {
    return send_result::sent;
  }
  switch (errno) {
    case EAGAIN: return send_result::buffer_full;
    case ENOBUFS: return send_result::congested;
    case EINTR: return send_result::interrupted;
    default: throw socket_error("send to " + to.text());
  }
}

template <typename Value>
Value value_of(cmsghdr const* control) {
  Value value;
  std::memcpy(&value, CMSG_DATA(control), sizeof value);
  return value;
}

void take_control(msghdr& message, arrival& into) {
  for (auto* one = CMSG_FIRSTHDR(&message); one != nullptr; one = CMSG_NXTHDR(&message, one)) {
    if (one->cmsg_level != SOL_RDS) {
      continue;
    }
    if (one->cmsg_type == RDS_CMSG_RDMA_DEST) {
      into.cookie = value_of<rds_rdma_cookie_t>(one);
    } else if (one->cmsg_type == RDS_CMSG_RDMA_STATUS) {
      auto const ended = value_of<rds_rdma_notify>(one);
      into.ended.push_back({ended.user_token, ended.status});
    }
  }
}

}  // namespace

socket_address::socket_address(std::string const& text, std::uint16_t port) {
  auto* v4 = reinterpret_cast<sockaddr_in*>(&storage_);
  if (inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    return;
  }
  // fe80::1%eth0: a link-local address means nothing without its link.
  auto const percent = text.find('%');
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage_);
  if (inet_pton(AF_INET6, text.substr(0, percent).c_str(), &v6->sin6_addr) != 1) {
    throw std::invalid_argument("'" + text + "' is neither an IPv4 nor an IPv6 address");
  }
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(port);
  if (percent != std::string::npos) {
    v6->sin6_scope_id = if_nametoindex(text.substr(percent + 1).c_str());
  }
}

socklen_t socket_address::size() const { return family() == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6); }

std::uint16_t socket_address::port() const {
  return ntohs(family() == AF_INET ? as_v4(data()).sin_port : as_v6(data()).sin6_port);
}

void socket_address::set_port(std::uint16_t port) {
  // sockaddr_in and sockaddr_in6 have their port at the same place.
  reinterpret_cast<sockaddr_in*>(&storage_)->sin_port = htons(port);
}

in6_addr socket_address::mapped() const {
  if (family() == AF_INET6) {
    return as_v6(data()).sin6_addr;
  }
  in6_addr result{};
  result.s6_addr[10] = result.s6_addr[11] = 0xff;
  std::memcpy(result.s6_addr + 12, &as_v4(data()).sin_addr, 4);
  return result;
}

std::string socket_address::text() const {
  char host_text[INET6_ADDRSTRLEN] = "?";
  void const* host = &as_v6(data()).sin6_addr;
  if (family() == AF_INET) {
    host = &as_v4(data()).sin_addr;
  }
  inet_ntop(family(), host, host_text, sizeof host_text);
  return std::string(host_text) + " " + std::to_string(port());
}

socket_error::socket_error(std::string const& call)
    : std::runtime_error(call + ": " + std::strerror(errno)), no_rds_(call == "socket" && errno == EAFNOSUPPORT) {}

rds_socket::rds_socket(socket_address const& local, int send_buffer, int receive_buffer) : local_(local) {
  descriptor_ = socket(AF_RDS, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (descriptor_ < 0) {
    throw socket_error("socket");
  }
  set_buffer(SO_SNDBUFFORCE, SO_SNDBUF, send_buffer, "SO_SNDBUF");
  set_buffer(SO_RCVBUFFORCE, SO_RCVBUF, receive_buffer, "SO_RCVBUF");
  set_option(SOL_RDS, RDS_CONG_MONITOR, 1, "RDS_CONG_MONITOR");
  if (bind(descriptor_, local.data(), local.size()) != 0) {
    throw socket_error("bind " + local.text());
  }
  auto length = local_.size();
  if (getsockname(descriptor_, local_.data(), &length) != 0) {
    throw socket_error("getsockname");
  }
}

rds_socket::~rds_socket() {
  if (descriptor_ >= 0) {
    close(descriptor_);
  }
}

void rds_socket::set_option(int level, int name, int value, char const* what) const {
  if (setsockopt(descriptor_, level, name, &value, sizeof value) != 0) {
    throw socket_error(what);
  }
}

void rds_socket::set_buffer(int forced, int plain, int bytes, char const* what) const {
  // The plain option is capped by net.core.*mem_max, below one datagram of 1 MiB; the forced one needs CAP_NET_ADMIN.
  if (setsockopt(descriptor_, SOL_SOCKET, forced, &bytes, sizeof bytes) != 0) {
    set_option(SOL_SOCKET, plain, bytes, what);
  }
}

send_result rds_socket::send(std::span<std::byte const> datagram, socket_address const& to, bool blocking) {
  return outcome_of(sendto(descriptor_, datagram.data(), datagram.size(), blocking ? 0 : MSG_DONTWAIT, to.data(), to.size()), to);
}

send_result rds_socket::send(std::span<std::byte const> datagram, socket_address const& to, send_control const& control) {
  iovec piece{const_cast<std::byte*>(datagram.data()), datagram.size()};
  alignas(cmsghdr) char room[256]{};
  auto name = to;
  msghdr message{};
  message.msg_name = name.data();
  message.msg_namelen = name.size();
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = room;
  message.msg_controllen = CMSG_SPACE(control.value.size());
  auto* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_RDS;
  header->cmsg_type = control.type;
  header->cmsg_len = CMSG_LEN(control.value.size());
  std::memcpy(CMSG_DATA(header), control.value.data(), control.value.size());
  return outcome_of(sendmsg(descriptor_, &message, MSG_DONTWAIT), to);
}

arrival rds_socket::receive(std::span<std::byte> buffer) {
  arrival result;
  iovec piece{buffer.data(), buffer.size()};
  alignas(cmsghdr) char control[256];
  msghdr message{};
  message.msg_name = result.source.data();
  message.msg_namelen = sizeof(sockaddr_storage);
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  auto const received = recvmsg(descriptor_, &message, MSG_DONTWAIT | MSG_TRUNC);
  if (received < 0) {
    if (errno == EAGAIN || errno == EINTR) {
      return result;
    }
    throw socket_error("recvmsg");
  }
  // A notification returns 0 like an empty datagram, but leaves the name alone.
  result.result = result.source.family() == 0 ? receive_result::notification : receive_result::datagram;
  result.size = static_cast<std::size_t>(received);
  take_control(message, result);
  return result;
}

std::size_t rds_socket::unacknowledged() const {
  return count_own_messages(RDS6_INFO_SEND_MESSAGES) + count_own_messages(RDS6_INFO_RETRANS_MESSAGES);
}

bool rds_socket::connected(socket_address const& peer) const {
  auto const own = local_.mapped();
  auto const other = peer.mapped();
  info_list const list(descriptor_, RDS6_INFO_CONNECTIONS);
  for (std::size_t index = 0; index < list.size(); ++index) {
    rds6_info_connection one;
    std::memcpy(&one, list.record(index), sizeof one);
    if (std::memcmp(&one.laddr, &own, sizeof own) == 0 && std::memcmp(&one.faddr, &other, sizeof other) == 0) {
      return (one.flags & RDS_INFO_CONNECTION_FLAG_CONNECTED) != 0;
    }
  }
  return false;
}

bool rds_socket::free_memory(std::uint64_t cookie) {
  rds_free_mr_args const arguments{cookie, RDS_RDMA_INVALIDATE};
  if (setsockopt(descriptor_, SOL_RDS, RDS_FREE_MR, &arguments, sizeof arguments) == 0) {
    return true;
  }
  if (errno != EINVAL) {
    throw socket_error("RDS_FREE_MR");
  }
  return false;
}

std::size_t rds_socket::count_own_messages(int which) const {
  // Linux 6.1 and 6.12 list IPv4 messages in the IPv4 lists without their addresses; the IPv6 lists have all of them, mapped.
  auto const own = local_.mapped();
  auto const port = htons(local_.port());
  info_list const list(descriptor_, which);
  std::size_t count = 0;
  for (std::size_t index = 0; index < list.size(); ++index) {
    auto const* record = list.record(index);
    count += std::memcmp(record + offsetof(rds6_info_message, laddr), &own, sizeof own) == 0 &&
             std::memcmp(record + offsetof(rds6_info_message, lport), &port, sizeof port) == 0;
  }
  return count;
}

}  // namespace rdsco::kernel_lab
