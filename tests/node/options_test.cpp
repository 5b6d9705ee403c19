// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: limits under which nothing can ever be sent or received are taken without a word, and show themselves later as
// connections that break and sends that are refused for ever.
// Forced by: each such limit; and the largest message that the smallest allowed memory is said to take.

#include "node/world.hpp"

#include <string>

namespace {

using namespace rdsco;
using namespace rdsco::test;

std::error_code opened(node_limits const& bounds) {
  loop where;
  node_options options;
  options.own<loopback>(at("127.0.0.1"));
  options.limits = bounds;
  return node::open(where, options).ec;
}

template <class Change>
void refused(char const* what, Change change) {
  INFO(what);
  node_limits bounds;
  change(bounds);
  auto const why = opened(bounds);
  CHECK(why == errc::invalid_options);
  CHECK(why == std::errc::invalid_argument);
}

task<> largest_message(world& w, std::size_t bytes, until what) {
  socket_options roomy;
  roomy.send_buffer = roomy.receive_buffer = bytes;
  socket from = w.near_socket(0, roomy), into = w.far_socket(0, roomy);
  auto const payload = pattern(1, bytes);
  for (int i = 0; i < 3; ++i) {
    auto const sent = co_await with_timeout(patience, from.send_to(payload, into.local(), what));
    REQUIRE(!sent.ec);
    auto const got = co_await with_timeout(patience, into.receive());
    REQUIRE(!got.ec);
    CHECK(matches(got.data, 1, bytes));
    auto const drained = co_await from.drain(patience);
    REQUIRE(!drained.ec);
  }
}

}  // namespace

TEST_CASE("limits that cannot work are refused when the node is opened") {
  CHECK_FALSE(opened(node_limits()));
  refused("a message that no block of memory holds", [](node_limits& of) { of.message_bytes = 4u << 20; });
  refused("a message that no length says", [](node_limits& of) { of.message_bytes = ~std::size_t{0}; });
  refused("memory for less than a message", [](node_limits& of) { of.memory_bytes = 1u << 20; });
  refused("memory for little more than a message", [](node_limits& of) { of.memory_bytes = (5u << 20) - 1; });
  refused("hardly any memory", [](node_limits& of) { of.message_bytes = 1, of.memory_bytes = 1u << 20; });
  refused("no message", [](node_limits& of) { of.message_bytes = 0; });
  refused("no peer", [](node_limits& of) { of.peers = 0; });
  refused("no socket", [](node_limits& of) { of.sockets = 0; });
  refused("no accepted stream", [](node_limits& of) { of.accepted_waiting = 0; });
  refused("no pong", [](node_limits& of) { of.queued_pongs = 0; });
  refused("no unread byte", [](node_limits& of) { of.unread_bytes_per_peer = 0; });
  refused("no memory", [](node_limits& of) { of.memory_bytes = 0; });
  refused("no time for a message", [](node_limits& of) { of.partial_message = 0ns; });
  refused("negative time to connect", [](node_limits& of) { of.connect = -1ns; });
}

TEST_CASE("what is refused says which options are meant") {
  node_limits bounds;
  bounds.message_bytes = 8u << 20;
  std::string const text = opened(bounds).message();
  CHECK(text.find("message_bytes") != std::string::npos);
  CHECK(text.find("memory_bytes") != std::string::npos);
}

TEST_CASE("the largest message passes with the least memory") {
  for (std::size_t const bytes : {std::size_t{1000}, std::size_t{1u << 20}, std::size_t{(4u << 20) - 4096}}) {
    node_limits least;
    least.message_bytes = bytes;
    least.memory_bytes = 4 * bytes + (1u << 20);
    CHECK_FALSE(opened(least));
    for (until const what : {until::accepted, until::acknowledged}) {
      for (way const how : every_way) {
        INFO(name(how) << ", " << bytes << " bytes");
        world w(how, least, least);
        block_on(w.where, largest_message(w, bytes, what));
        w.finish();
      }
    }
  }
}
