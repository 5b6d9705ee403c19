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
constexpr std::uint16_t client_port = 5001;

sockaddr_in at(std::string const& address, std::uint16_t port) {
  sockaddr_in made{};
  made.sin_family = AF_INET;
  made.sin_port = htons(port);
  if (::inet_pton(AF_INET, address.c_str(), &made.sin_addr) != 1) throw std::runtime_error("no IPv4 address: " + address);
  return made;
}

descriptor rds_socket(std::string const& address, std::uint16_t port) {
  descriptor made(static_cast<int>(checked(::socket(AF_RDS, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), "socket AF_RDS (is rds_tcp or rds_rdma loaded?)")));
  sockaddr_in const own = at(address, port);
  checked(::bind(made.number(), reinterpret_cast<sockaddr const*>(&own), sizeof own), "bind");
  return made;
}

void send(descriptor const& from, sockaddr_in const& to, std::vector<std::byte> const& message) {
  checked(::sendto(from.number(), message.data(), message.size(), 0, reinterpret_cast<sockaddr const*>(&to), sizeof to), "sendto");
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

// The kernel has no way to look at its adapter without sleeping; a program that spins asks it again and again.
void receive_one(descriptor const& at, std::vector<std::byte>& into, waiting how) {
  int const flags = how == waiting::block ? 0 : MSG_DONTWAIT;
  while (::recv(at.number(), into.data(), into.size(), flags) < 0)
    if (errno != EAGAIN || how == waiting::block) checked(-1, "recv");
}

figures answer(request const& asked, partner::announce const& ready) {
  descriptor const server = rds_socket(asked.server.address, receiver_port);
  ready();
  sockaddr_in const client = at(asked.client.address, client_port);
  std::vector<std::byte> message(asked.bytes);
  for (std::uint64_t i = 0; i < asked.warmup + asked.count; ++i) {
    receive_one(server, message, asked.wait);
    send(server, client, message);
  }
  // Closing the socket would withdraw an answer that is still under way: the client says when it has the last one.
  receive_one(server, message, waiting::block);
  return {};
}

}  // namespace

figures kernel_rds_round_trip(request const& asked) {
  partner server(asked, [&](auto const& ready) { return answer(asked, ready); });
  descriptor const client = rds_socket(asked.client.address, client_port);
  sockaddr_in const to = at(asked.server.address, receiver_port);
  std::vector<std::byte> message(asked.bytes);
  laps taken(asked);
  for (std::uint64_t i = 0; i < asked.warmup + asked.count; ++i) {
    taken.begin();
    send(client, to, message);
    receive_one(client, message, asked.wait);
    taken.end();
  }
  send(client, to, message);
  static_cast<void>(server.join());
  return taken.result();
}

figures kernel_rds_one_way(request const& asked) {
  partner receiver(asked, [&](auto const& ready) { return receive(asked, ready); });
  descriptor const sender = rds_socket(asked.client.address, 0);
  sockaddr_in const to = at(asked.server.address, receiver_port);
  std::vector<std::byte> const message(asked.bytes);
  for (std::uint64_t i = 0; i < asked.warmup + asked.count; ++i) send(sender, to, message);
  // Closing the sender's socket would withdraw what has not been delivered.
  return receiver.join();
}

}  // namespace rdsco::bench
