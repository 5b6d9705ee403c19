// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a datagram lost, torn, repeated or out of order between two nodes over TCP, in either address order.
// Forced by: two nodes on one loop that send sizes around every boundary of headers, staging and direct reception.

#include "support/nodes.hpp"

namespace {

using namespace rdsco;
using namespace rdsco::test;

constexpr std::size_t sizes[] = {0, 1, 47, 48, 49, 4095, 4096, 8191, 8192, 8193, 65535, 65536, 262144, 1048575, 1048576};

task<> send_all(socket& from, endpoint to, int rounds) {
  std::uint64_t index = 0;
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t const size : sizes) {
      auto const payload = pattern(index++, size);
      auto const sent = co_await from.send_to(payload, to);
      REQUIRE(!sent.ec);
    }
  }
}

task<> receive_all(socket& into, int rounds) {
  std::uint64_t index = 0;
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t const size : sizes) {
      auto got = co_await with_timeout(patience, into.receive());
      REQUIRE(!got.ec);
      REQUIRE(matches(got.data, index++, size));
    }
  }
}

task<> exchange(loop& where, std::string_view from, std::string_view to_host) {
  node first = open(where, on_tcp(from));
  node second = open(where, on_tcp(to_host));
  socket sender = bound(first, from, 4000);
  socket receiver = bound(second, to_host, 5000);
  task_group group(where);
  group.spawn(send_all(sender, receiver.local(), 4));
  co_await receive_all(receiver, 4);
  co_await group.join();
  auto const drained = co_await sender.drain(patience);
  REQUIRE(!drained.ec);
  REQUIRE(drained.data == 0);
  REQUIRE(co_await first.close() == 0);
  REQUIRE(co_await second.close() == 0);
}

}  // namespace

TEST_CASE("every size arrives whole and in order, from the node that connects") {
  loop where;
  block_on(where, exchange(where, "127.0.0.1", "127.0.0.2"));
}

TEST_CASE("every size arrives whole and in order, from the node that is connected to") {
  loop where;
  block_on(where, exchange(where, "127.0.0.2", "127.0.0.1"));
}

TEST_CASE("a ping measures the round trip to the other node") {
  loop where;
  node first = open(where, on_tcp("127.0.0.1"));
  node second = open(where, on_tcp("127.0.0.2"));
  auto const trip = block_on(where, with_timeout(patience, first.ping(at("127.0.0.1"), at("127.0.0.2"))));
  REQUIRE(!trip.ec);
  REQUIRE(trip.data.count() > 0);
  block_on(where, first.close());
  block_on(where, second.close());
}
