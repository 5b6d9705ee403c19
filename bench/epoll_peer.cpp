// SPDX-License-Identifier: BSD-2-Clause
// Non-blocking streams and epoll, level-triggered: the loop that most servers have.
#include "epoll_loop.hpp"
#include "partner.hpp"
#include "raw_stream.hpp"
#include "stopwatch.hpp"
#include "usage.hpp"

#include <sys/socket.h>

#include <stdexcept>
#include <vector>

namespace rdsco::bench {

namespace {

// A message is far smaller than what a stream hands over whole, so a short one is an error here.
bool receive_message(int stream, std::vector<std::byte>& message) {
  ssize_t const count = ::recv(stream, message.data(), message.size(), 0);
  if (count > 0 && static_cast<std::size_t>(count) != message.size()) receive_all(stream, std::span(message).subspan(static_cast<std::size_t>(count)));
  return checked(count, "recv") != 0;
}

figures serve(request const& asked, partner::announce const& ready) {
  allow_many_descriptors();
  descriptor const listener = listen_at(asked.server.address, asked.port);
  ready();
  epoll_loop events(asked.wait);
  std::vector<descriptor> streams;
  for (unsigned i = 0; i < asked.sockets; ++i) {
    streams.push_back(accept_from(listener));
    set_nonblocking(streams.back());
    events.add(streams.back().number());
  }
  std::vector<std::byte> message(header_bytes + asked.bytes);
  events.run([&](int stream) {
    if (!receive_message(stream, message)) return false;
    send_all(stream, message);
    return true;
  });
  return {};
}

std::vector<descriptor> connect_all(request const& asked, epoll_loop& events) {
  allow_many_descriptors();
  std::vector<descriptor> streams;
  for (unsigned i = 0; i < asked.sockets; ++i) {
    streams.push_back(connect_to(asked.client.address, asked.server.address, asked.port));
    set_nonblocking(streams.back());
    events.add(streams.back().number());
  }
  return streams;
}

// One request under way on each stream.
void ask_all(std::vector<descriptor> const& streams, epoll_loop& events, std::uint64_t total, std::vector<std::byte>& message) {
  std::uint64_t sent = 0, answered = 0;
  for (auto const& stream : streams) {
    if (sent++ == total) return;
    send_all(stream.number(), message);
  }
  events.run([&](int stream) {
    if (!receive_message(stream, message)) throw std::runtime_error("the server hung up");
    if (sent < total) {
      ++sent;
      send_all(stream, message);
    }
    return ++answered < total;
  });
}

}  // namespace

figures epoll_round_trip(request const& asked) {
  partner server(asked, [&](auto const& ready) { return serve(asked, ready); });
  laps taken(asked);
  usage used;
  figures found;
  {
    epoll_loop events(asked.wait);
    std::vector<descriptor> const streams = connect_all(asked, events);
    std::vector<std::byte> message(header_bytes + asked.bytes);
    used.start();
    for (std::uint64_t i = 0; i < asked.warmup + asked.count; ++i) {
      taken.begin();
      send_all(streams[i % streams.size()].number(), message);
      events.run([&](int stream) {
        if (!receive_message(stream, message)) throw std::runtime_error("the server hung up");
        return false;
      });
      taken.end();
    }
    used.add_to(found, "", asked.warmup + asked.count);
  }
  static_cast<void>(server.join());
  found.merge(taken.result());
  return found;
}

figures epoll_fan(request const& asked) {
  partner server(asked, [&](auto const& ready) { return serve(asked, ready); });
  figures found;
  {
    epoll_loop events(asked.wait);
    std::vector<descriptor> const streams = connect_all(asked, events);
    std::vector<std::byte> message(header_bytes + asked.bytes);
    ask_all(streams, events, std::max<std::uint64_t>(asked.warmup, streams.size()), message);
    stopwatch timer;
    ask_all(streams, events, std::max<std::uint64_t>(asked.count, streams.size()), message);
    found["per_second"] = static_cast<double>(std::max<std::uint64_t>(asked.count, streams.size())) * 1e9 / timer.ns();
  }
  static_cast<void>(server.join());
  return found;
}

}  // namespace rdsco::bench
