// SPDX-License-Identifier: BSD-2-Clause
// The writes of raw_one_way_peer.cpp, on non-blocking streams whose ends wait in epoll.
#include "coalescer.hpp"
#include "epoll_loop.hpp"
#include "partner.hpp"
#include "rate.hpp"
#include "raw_stream.hpp"
#include "walker.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <vector>

namespace rdsco::bench {

namespace {

figures receive(request const& asked, partner::announce const& ready) {
  descriptor const listener = listen_at(asked.server.address, asked.port);
  ready();
  descriptor const stream = accept_from(listener);
  set_nonblocking(stream);
  epoll_loop events(asked.wait);
  events.add(stream.number());
  std::vector<std::byte> bytes(256 * 1024);
  walker messages;
  rate measured(asked);
  events.run([&](int readable) {
    auto const count = static_cast<std::size_t>(checked(::recv(readable, bytes.data(), bytes.size(), 0), "recv"));
    messages.take({bytes.data(), count});
    measured.note(messages.messages);
    return count != 0;
  });
  return measured.result();
}

void send_when_writable(epoll_loop& events, int stream, std::span<std::byte const> bytes) {
  while (!bytes.empty()) {
    ssize_t const count = ::send(stream, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EAGAIN) {
      events.run([](int) { return false; });
      continue;
    }
    bytes = bytes.subspan(static_cast<std::size_t>(checked(count, "send")));
  }
}

}  // namespace

figures epoll_one_way(request const& asked) {
  partner receiver(asked, [&](auto const& ready) { return receive(asked, ready); });
  figures sender;
  usage used;
  {
    descriptor const stream = connect_to(asked.client.address, asked.server.address, asked.port);
    set_nonblocking(stream);
    epoll_loop events(asked.wait);
    events.add(stream.number(), EPOLLOUT);
    std::vector<std::byte> const payload(asked.bytes);
    coalescer out;
    used.start();
    for (std::uint64_t i = 0; i < asked.warmup + asked.count; ++i) {
      if (out.add(payload)) continue;
      send_when_writable(events, stream.number(), out.bytes());
      out.clear();
      static_cast<void>(out.add(payload));
    }
    send_when_writable(events, stream.number(), out.bytes());
    used.add_to(sender, "sender_", asked.warmup + asked.count);
  }
  figures found = receiver.join();
  found.merge(sender);
  return found;
}

}  // namespace rdsco::bench
