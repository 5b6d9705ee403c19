// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a driver that sends in our thread ends the process by SIGPIPE; the guard against it leaves a signal pending or blocked, takes
// one that is somebody else's, or costs where no driver does so.
// Forced by: a write to a pipe that nobody reads, where the driver's would be.

#include "verbs/no_sigpipe.hpp"

#include <catch2/catch.hpp>

#include <array>

#include <unistd.h>

namespace {

using rdsco::verbs::no_sigpipe;

struct adapter {
  ibv_device description{};
  ibv_context native{};

  explicit adapter(ibv_node_type type) {
    description.node_type = type;
    native.device = &description;
  }
};

bool blocked() {
  sigset_t now;
  REQUIRE(::pthread_sigmask(SIG_SETMASK, nullptr, &now) == 0);
  return ::sigismember(&now, SIGPIPE) == 1;
}
bool pending() {
  sigset_t now;
  REQUIRE(::sigpending(&now) == 0);
  return ::sigismember(&now, SIGPIPE) == 1;
}

void write_to_nobody() {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  ::close(ends[0]);
  char const byte = 0;
  REQUIRE(::write(ends[1], &byte, 1) < 0);
  ::close(ends[1]);
}

}  // namespace

TEST_CASE("iWARP: a call that would raise SIGPIPE does not, and leaves nothing behind") {
  adapter const on(IBV_NODE_RNIC);
  for (int turn = 0; turn < 2; ++turn) {
    {
      no_sigpipe const guard(&on.native);
      write_to_nobody();
      CHECK(pending());
    }
    CHECK(!pending());
    CHECK(!blocked());
  }
}

TEST_CASE("a thread that has SIGPIPE blocked keeps it so, with what is pending") {
  adapter const on(IBV_NODE_RNIC);
  sigset_t only;
  ::sigemptyset(&only);
  ::sigaddset(&only, SIGPIPE);
  REQUIRE(::pthread_sigmask(SIG_BLOCK, &only, nullptr) == 0);
  write_to_nobody();
  { no_sigpipe const guard(&on.native); }
  CHECK(blocked());
  CHECK(pending());
  timespec const at_once{};
  CHECK(::sigtimedwait(&only, nullptr, &at_once) == SIGPIPE);
  REQUIRE(::pthread_sigmask(SIG_UNBLOCK, &only, nullptr) == 0);
}

TEST_CASE("on other adapters, and before there is one, signals are left alone") {
  adapter const on(IBV_NODE_CA);
  no_sigpipe const guard(&on.native), early(nullptr);
  CHECK(!blocked());
}
