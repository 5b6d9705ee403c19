// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a removed adapter stays open in this process, and whoever removes it waits; it is closed while a node uses it; one that is
// there to stay is closed; a file that has the same number meanwhile is.
// Forced by: sockets in the place of an adapter's files, whose other ends tell who holds them.

#include "verbs/open_devices.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using rdsco::verbs::hold_device;
using rdsco::verbs::let_go_of_device;

struct watched_file {
  std::array<int, 2> ends{};

  watched_file() { REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) == 0); }
  ~watched_file() {
    ::close(ends[0]);
    ::close(ends[1]);
  }
  watched_file(watched_file const&) = delete;
  watched_file& operator=(watched_file const&) = delete;
  [[nodiscard]] bool held() const {
    char byte = 0;
    return ::read(ends[1], &byte, 1) < 0 && errno == EAGAIN;
  }
};

struct adapter {
  watched_file commands, events;
  ibv_context native{};

  adapter() {
    native.cmd_fd = commands.ends[0];
    native.async_fd = events.ends[0];
  }
  [[nodiscard]] bool held() const {
    CHECK(commands.held() == events.held());
    return commands.held();
  }
  // rdma-core closes them later: until then the numbers are nobody else's.
  [[nodiscard]] bool numbers_taken() const { return ::fcntl(native.cmd_fd, F_GETFD) >= 0 && ::fcntl(native.async_fd, F_GETFD) >= 0; }
};

}  // namespace

TEST_CASE("a removed adapter is closed with its last user, whoever of them heard of the removal") {
  for (auto const& [first_heard, last_heard] : {std::pair(false, true), std::pair(true, false), std::pair(true, true)}) {
    INFO("the first: " << first_heard << ", the last: " << last_heard);
    adapter one;
    REQUIRE(hold_device(&one.native) == 0);
    REQUIRE(hold_device(&one.native) == 0);
    let_go_of_device(&one.native, first_heard);
    CHECK(one.held());
    let_go_of_device(&one.native, last_heard);
    CHECK(!one.held());
    CHECK(one.numbers_taken());
  }
}

TEST_CASE("an adapter that is there to stay is left open, and can be removed later") {
  adapter one, other;
  REQUIRE(hold_device(&one.native) == 0);
  REQUIRE(hold_device(&other.native) == 0);
  let_go_of_device(&one.native, false);
  CHECK(one.held());
  REQUIRE(hold_device(&one.native) == 0);
  let_go_of_device(&other.native, false);
  let_go_of_device(&one.native, true);
  CHECK(!one.held());
  CHECK(other.held());
}

TEST_CASE("a file that got the number meanwhile is left alone") {
  adapter one;
  watched_file stranger;
  REQUIRE(hold_device(&one.native) == 0);
  REQUIRE(::dup2(stranger.ends[0], one.native.cmd_fd) >= 0);
  ::close(stranger.ends[0]);
  stranger.ends[0] = -1;
  let_go_of_device(&one.native, true);
  CHECK(stranger.held());
  CHECK(one.events.held());
}

TEST_CASE("an adapter without files") {
  ibv_context none{};
  none.cmd_fd = none.async_fd = -1;
  CHECK(hold_device(&none) == -EBADF);
}
