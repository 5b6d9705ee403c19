// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/afrds/replies.hpp"

#include <poll.h>

#include <nlohmann/json.hpp>

namespace rdsco::kernel_lab {

namespace {

using clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// Waits for `events` on the socket or for the driver; false when stopped or at the deadline.
bool wait_for(rds_socket const& socket, driver_events& events, short wanted, clock::time_point deadline) {
  auto const left = std::chrono::ceil<milliseconds>(deadline - clock::now());
  pollfd waiting[] = {{socket.descriptor(), wanted, 0}, {events.signal_descriptor(), POLLIN, 0}};
  poll(waiting, std::size(waiting), static_cast<int>(std::max(left, milliseconds(0)).count()));
  events.read();
  return !events.stopped() && clock::now() < deadline;
}

bool wait_for_pong(rds_socket& socket, driver_events& events, socket_address const& peer, clock::time_point deadline) {
  std::byte buffer[1];
  do {
    auto const got = socket.receive(buffer);
    if (got.result == receive_result::datagram && got.size == 0 && got.source.text() == peer.text()) {
      return true;
    }
  } while (wait_for(socket, events, POLLIN, deadline));
  return false;
}

/// False when the deadline passed first: a refused datagram is tried again when the kernel has room.
bool send_back(rds_socket& socket, driver_events& events, std::span<std::byte const> datagram, socket_address const& to,
               clock::time_point deadline) {
  while (true) {
    auto const result = socket.send(datagram, to, false);
    if (result == send_result::sent) {
      return true;
    }
    // The end of congestion is not waited for by poll, because that would want the receive queue read meanwhile.
    auto const retry = result == send_result::congested ? std::min(deadline, clock::now() + milliseconds(5)) : deadline;
    wait_for(socket, events, result == send_result::congested ? 0 : POLLOUT, retry);
    if (events.stopped() || clock::now() >= deadline) {
      return false;
    }
  }
}

}  // namespace

int run_ping(traffic_options const& options) {
  rds_socket socket(socket_address(options.local_host, options.local_port), options.send_buffer, options.receive_buffer);
  driver_events events(socket.local(), 0);
  socket_address const peer(options.peer_host, 0);
  say({{"event", "ready"}, {"command", "ping"}, {"local", socket.local().text()}});
  std::uint64_t answered = 0;
  std::vector<std::uint64_t> unanswered;
  std::vector<std::int64_t> microseconds;
  for (std::uint64_t index = 0; index < options.send_count && !events.stopped(); ++index) {
    auto const begin = clock::now();
    auto const deadline = begin + options.timeout;
    if (send_back(socket, events, {}, peer, deadline) && wait_for_pong(socket, events, peer, deadline)) {
      ++answered;
      microseconds.push_back(std::chrono::duration_cast<std::chrono::microseconds>(clock::now() - begin).count());
    } else {
      unanswered.push_back(index);
    }
  }
  std::sort(microseconds.begin(), microseconds.end());
  auto const median = microseconds.empty() ? nlohmann::json() : nlohmann::json(microseconds[microseconds.size() / 2]);
  auto const clean = answered == options.send_count;
  say({{"event", "report"}, {"command", "ping"}, {"status", events.stopped() ? "stopped" : "complete"}, {"clean", clean},
       {"answered", answered}, {"unanswered", unanswered}, {"median_us", median}});
  return clean ? 0 : 1;
}

int run_echo(traffic_options const& options) {
  rds_socket socket(socket_address(options.local_host, options.local_port), options.send_buffer, options.receive_buffer);
  driver_events events(socket.local(), 0);
  say({{"event", "ready"}, {"command", "echo"}, {"local", socket.local().text()}});
  auto const deadline = clock::now() + options.timeout;
  std::vector<std::byte> buffer((1U << 20U) + 1);
  std::uint64_t returned = 0;
  auto const wanted = [&] { return options.receive_count == 0 || returned < options.receive_count; };
  while (wanted() && wait_for(socket, events, POLLIN, deadline)) {
    for (auto got = socket.receive(buffer); got.result != receive_result::nothing; got = socket.receive(buffer)) {
      if (got.result == receive_result::datagram) {
        returned += send_back(socket, events, std::span(buffer).first(std::min(got.size, buffer.size())), got.source, deadline);
      }
    }
  }
  while (socket.unacknowledged() > 0 && wait_for(socket, events, 0, std::min(deadline, clock::now() + milliseconds(5)))) {
  }
  auto const clean = options.receive_count == 0 || returned == options.receive_count;
  say({{"event", "report"}, {"command", "echo"}, {"status", clean ? "complete" : events.stopped() ? "stopped" : "timeout"},
       {"clean", clean}, {"returned", returned}, {"unacknowledged", socket.unacknowledged()}});
  return clean ? 0 : 1;
}

}  // namespace rdsco::kernel_lab
