// SPDX-License-Identifier: BSD-2-Clause
// The kernel's own RDS, where its module is loaded: sendmsg() and recv() on AF_RDS sockets.
#include "partner.hpp"
#include "raw_stream.hpp"
#include "stopwatch.hpp"

#include <arpa/inet.h>
#include <linux/rds.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>
#include <vector>

namespace rdsco::bench {

namespace {

constexpr std::uint16_t receiver_port = 5000;

sockaddr_in at(std::string const& address, std::uint16_t port) {
  sockaddr_in made{};
  made.sin_family = AF_INET;
  made.sin_port = htons(port);
  if (::inet_pton(AF_INET, address.c_str(), &made.sin_addr) != 1) throw std::runtime_error("no IPv4 address: " + address);
  return made;
}

descriptor rds_socket(std::string const& address, std::uint16_t port) {
  descriptor made(static_cast<int>(checked(::socket(AF_RDS, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), "socket AF_RDS (is rds_tcp loaded?)")));
  sockaddr_in const own = at(address, port);
  checked(::bind(made.number(), reinterpret_cast<sockaddr const*>(&own), sizeof own), "bind");
  return made;
}

figures receive(request const& asked, partner::announce const& ready) {
  descriptor const receiver = rds_socket(asked.server.address, receiver_port);
  ready();
  std::vector<std::byte> message(asked.bytes);
  stopwatch timer;
  for (std::uint64_t i = 0; i < asked.warmup + asked.count; ++i) {
    if (i == asked.warmup) timer.start();
    checked(::recv(receiver.number(), message.data(), message.size(), 0), "recv");
  }
  return {{"per_second", static_cast<double>(asked.count) * 1e9 / timer.ns()}};
}

}  // namespace

figures kernel_rds_one_way(request const& asked) {
  partner receiver(asked, [&](auto const& ready) { return receive(asked, ready); });
  descriptor const sender = rds_socket(asked.client.address, 0);
  sockaddr_in const to = at(asked.server.address, receiver_port);
  std::vector<std::byte> const message(asked.bytes);
  for (std::uint64_t i = 0; i < asked.warmup + asked.count; ++i)
    checked(::sendto(sender.number(), message.data(), message.size(), 0, reinterpret_cast<sockaddr const*>(&to), sizeof to), "sendto");
  // Closing the sender's socket would withdraw what has not been delivered.
  return receiver.join();
}

}  // namespace rdsco::bench
