// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "measurement.hpp"
#include "raw_stream.hpp"

#include <sys/epoll.h>

#include <array>
#include <cstdint>

namespace rdsco::bench {

/// Level-triggered, as most servers have it.
class epoll_loop {
 public:
  explicit epoll_loop(waiting how) : set_(static_cast<int>(checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create"))), timeout_(how == waiting::spin ? 0 : -1) {}

  void add(int stream, std::uint32_t events = EPOLLIN) {
    epoll_event wanted{};
    wanted.events = events;
    wanted.data.fd = stream;
    checked(::epoll_ctl(set_.number(), EPOLL_CTL_ADD, stream, &wanted), "epoll_ctl");
  }
  /// Calls `ready(stream)` for each that is, until it answers false.
  template <class F>
  void run(F ready) {
    std::array<epoll_event, 64> events;
    for (;;) {
      int const count = static_cast<int>(checked(::epoll_wait(set_.number(), events.data(), static_cast<int>(events.size()), timeout_), "epoll_wait"));
      for (int i = 0; i < count; ++i)
        if (!ready(events[static_cast<std::size_t>(i)].data.fd)) return;
    }
  }

 private:
  descriptor set_;
  int timeout_;
};

}  // namespace rdsco::bench
