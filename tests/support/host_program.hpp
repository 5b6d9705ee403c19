// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/loop.hpp>

#include <catch2/catch.hpp>

#include <sys/epoll.h>
#include <unistd.h>

namespace rdsco::test {

/// Somebody else's event loop, which knows one descriptor and one function of ours.
class host_program {
 public:
  explicit host_program(loop& where) : where_(where), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    epoll_event interest{};
    interest.events = EPOLLIN;
    REQUIRE(where.wait_fd() >= 0);
    REQUIRE(::epoll_ctl(epoll_, EPOLL_CTL_ADD, where.wait_fd(), &interest) == 0);
    where.poll();
  }
  host_program(host_program const&) = delete;
  host_program& operator=(host_program const&) = delete;
  ~host_program() { ::close(epoll_); }

  template <class Done>
  void run_until(Done done) {
    while (!done()) {
      wait(-1);
      where_.poll();
      ++polls_;
    }
  }
  /// Polls until there is nothing left to do.
  void run_dry() {
    while (readable()) where_.poll();
  }
  /// Whether there is something to do at this moment.
  [[nodiscard]] bool readable() { return wait(0) == 1; }
  [[nodiscard]] int polls() const noexcept { return polls_; }

 private:
  int wait(int timeout) {
    epoll_event event{};
    return ::epoll_wait(epoll_, &event, 1, timeout);
  }
  loop& where_;
  int epoll_;
  int polls_ = 0;
};

}  // namespace rdsco::test
