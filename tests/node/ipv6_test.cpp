// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: an IPv6 address cut, compared or ordered wrongly on the way into TCP and back.
// Forced by: two nodes over TCP in a network of their own, with addresses that differ early, late and only in the middle.

#include "node/private_network.hpp"
#include "node/world.hpp"

#include <cstdio>
#include <cstdlib>

namespace rdsco::test {
namespace {

task<> exchange(loop& where, std::string_view one, std::string_view other) {
  node first = open(where, on_tcp(one).allow(net("fd00::/16")));
  node second = open(where, on_tcp(other).allow(net("fd00::/16")));
  socket from = bound(first, one, 4000), into = bound(second, other, 5000);
  for (std::size_t const size : {std::size_t{0}, std::size_t{100}, std::size_t{1048576}}) {
    REQUIRE(!(co_await with_timeout(patience, from.send_to(pattern(1, size), into.local(), until::acknowledged))).ec);
    auto const got = co_await with_timeout(patience, into.receive());
    REQUIRE(!got.ec);
    CHECK(matches(got.data, 1, size));
    CHECK(got.data.from() == from.local());
  }
  REQUIRE(!(co_await with_timeout(patience, second.ping(at(other), at(one)))).ec);
  CHECK(from.try_send_to("x", to("127.0.0.1", 5)) == errc::address_family);
  co_await first.close();
  co_await second.close();
}

}  // namespace

TEST_CASE("two nodes talk over IPv6, whichever of them connects") {
  if (!enter_private_network({"fd00::1", "fd00::1:0:0:1", "fd00:1::"})) {
    std::puts("not run: this system gives no private network to add IPv6 addresses in");
    std::exit(77);
  }
  constexpr std::string_view pairs[][2] = {{"::1", "fd00::1"}, {"fd00::1", "::1"}, {"fd00::1", "fd00::1:0:0:1"},
                                           {"fd00::1:0:0:1", "fd00::1"}, {"fd00::1:0:0:1", "fd00:1::"}, {"fd00:1::", "fd00::1"}};
  for (auto const& pair : pairs) {
    INFO(pair[0] << " to " << pair[1]);
    loop where;
    block_on(where, exchange(where, pair[0], pair[1]));
    CHECK(where.frames() == 0);
  }
}

}  // namespace rdsco::test
