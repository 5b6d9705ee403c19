// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a limit that is not kept, or that loses what was accepted instead of making senders wait.
// Forced by: limits so low that ordinary traffic meets them at either end, with every datagram counted.

#include "node/world.hpp"
#include "support/refusing_memory.hpp"

namespace {

using namespace rdsco;
using namespace rdsco::test;

constexpr std::size_t block = 100000;

task<> send_numbered(socket& from, endpoint there, std::size_t count, until what) {
  for (std::size_t i = 0; i < count;) {
    auto const payload = pattern(i, block);
    auto const sent = co_await with_timeout(patience, from.send_to(payload, there, what));
    REQUIRE((!sent.ec || sent.ec == errc::limit_reached));
    if (sent.ec) static_cast<void>(co_await sleep(1ms));
    if (!sent.ec) ++i;
  }
}

// Through a node without memory everything still comes, late.
task<> everything_arrives(world& w, until what, std::size_t near_most) {
  socket_options roomy;
  roomy.send_buffer = roomy.receive_buffer = 64u << 20;
  socket from = w.near_socket(0, roomy), into = w.far_socket(0, roomy);
  constexpr std::size_t count = 100;
  task_group group(w.where);
  group.spawn(send_numbered(from, into.local(), count, what));
  // Nobody reads until memory is full and nothing moves any more.
  std::size_t const most = 2u << 20;
  for (int i = 0; i < 300; ++i) co_await yield();
  CHECK(w.far().memory_in_use() <= most);
  for (std::size_t i = 0; i < count; ++i) {
    auto const got = co_await with_timeout(patience, into.receive());
    REQUIRE(!got.ec);
    REQUIRE(matches(got.data, i, block));
    CHECK(w.far().memory_in_use() <= most);
    CHECK(w.near().memory_in_use() <= near_most);
  }
  co_await group.join();
  CHECK(into.try_receive().ec == errc::would_block);
}

void with_little_memory(way how, until what, bool near, bool far) {
  INFO(name(how) << (what == until::accepted ? ", accepted" : ", acknowledged") << ", near " << near << ", far " << far);
  node_limits tight;
  tight.memory_bytes = 2u << 20;
  tight.message_bytes = 200000;
  world w(how, near ? tight : node_limits(), far ? tight : node_limits());
  block_on(w.where, everything_arrives(w, what, near ? tight.memory_bytes : ~std::size_t{0}));
  w.finish();
}

}  // namespace

TEST_CASE("memory that runs out makes senders wait and loses nothing") {
  for (until const what : {until::accepted, until::acknowledged}) {
    for (way const how : over_loopback) with_little_memory(how, what, true, true);
    for (way const how : over_tcp) with_little_memory(how, what, false, true);
    for (way const how : over_tcp) with_little_memory(how, what, true, true);
  }
}

TEST_CASE("a send that memory is refused for says so, and takes none") {
  node_limits tight;
  tight.memory_bytes = 3u << 19;
  tight.message_bytes = 100000;
  world w(way::connecting, tight);
  socket from = w.near_socket();
  endpoint const absent = to("127.0.0.77", 5);
  auto const payload = pattern(0, 50000);
  std::size_t accepted = 0;
  std::error_code why;
  while (!(why = from.try_send_to(payload, absent))) ++accepted;
  CHECK(why == errc::limit_reached);
  CHECK(accepted >= 1);
  CHECK(accepted <= 7);
  CHECK(from.unacknowledged() == accepted);
  CHECK(from.cancel_sent_to(absent) == accepted);
  CHECK_FALSE(from.try_send_to(payload, absent));
  w.finish();
}

TEST_CASE("a send from the caller's memory that loopback has no room to copy says so, and what follows is not held up") {
  refusing_memory memory;
  detail::seams seams;
  seams.memory = &memory;
  loop where(loop_options(), std::move(seams));
  node_options options;
  options.own<loopback>(at("127.0.0.1")).own<loopback>(at("127.0.0.2"));
  node on = test::open(where, options);
  for (std::string_view const host : {"127.0.0.1", "127.0.0.2"}) {
    INFO(host);
    socket from = bound(on, "127.0.0.1"), into = bound(on, host);
    block_on(where, [](refusing_memory& of, socket& source, socket& target) -> task<> {
      auto const large = pattern(0, 1u << 20);
      of.largest = 4096;
      auto const refused = co_await with_timeout(patience, source.send_to(large, target.local(), until::acknowledged));
      of.largest = ~std::size_t{0};
      CHECK(refused.ec == errc::limit_reached);
      CHECK(source.unacknowledged() == 0);
      auto const sent = co_await with_timeout(patience, source.send_to("small", target.local(), until::acknowledged));
      CHECK_FALSE(sent.ec);
      CHECK(target.try_receive().data.size() == 5);
    }(memory, from, into));
  }
  block_on(where, on.close());
}

TEST_CASE("no datagram is larger than the node's limit") {
  node_limits small;
  small.message_bytes = 1000;
  for (way const how : every_way) {
    world w(how, small, small);
    block_on(w.where, [](world& in_world) -> task<> {
      socket from = in_world.near_socket(), into = in_world.far_socket();
      auto const fits = pattern(1, 1000), large = pattern(1, 1001);
      CHECK((co_await from.send_to(large, into.local())).ec == errc::message_too_large);
      CHECK((co_await from.send_to(large, into.local(), until::acknowledged)).ec == errc::message_too_large);
      REQUIRE(!(co_await from.send_to(fits, into.local())).ec);
      CHECK((co_await with_timeout(patience, into.receive())).data.size() == 1000);
    }(w));
    w.finish();
  }
}

TEST_CASE("no more peers than the node's limit") {
  node_limits two;
  two.peers = 2;
  world w(way::connecting, two);
  socket from = w.near_socket();
  CHECK_FALSE(from.try_send_to("x", to("127.0.0.71", 5)));
  CHECK_FALSE(from.try_send_to("x", to("127.0.0.72", 5)));
  CHECK(from.try_send_to("x", to("127.0.0.73", 5)) == errc::limit_reached);
  CHECK_FALSE(from.try_send_to("x", to("127.0.0.71", 6)));
  CHECK(from.unacknowledged() == 3);
  w.finish();
}

namespace {

/// Does as if TCP could tell types of service apart.
struct told_apart : tcp {
  static constexpr transport_capabilities capabilities{.type_of_service = true};
};

}  // namespace

TEST_CASE("the type of service is chosen before the first send") {
  loop where;
  node_options options;
  options.own<told_apart>(at("127.0.0.1"));
  options.tcp.port = tcp_port();
  node on = test::open(where, options);
  socket from = bound(on, "127.0.0.1"), into = bound(on, "127.0.0.1");
  CHECK_FALSE(from.set_type_of_service(5));
  CHECK_FALSE(from.set_type_of_service(6));
  CHECK_FALSE(from.try_send_to("x", into.local()));
  CHECK(from.set_type_of_service(7) == std::errc::invalid_argument);
  from.close();
  into.close();
  block_on(where, on.close());
}

TEST_CASE("types of service that the transport cannot tell apart share one connection, and none can be chosen") {
  in(every_way, [](world& w) -> task<> {
    socket_options fifth;
    fifth.type_of_service = 5;
    socket plain = w.near_socket(), special = w.near_socket(0, fifth), into = w.far_socket();
    CHECK(plain.set_type_of_service(5) == errc::not_supported);
    CHECK(plain.set_type_of_service(5) == std::errc::operation_not_supported);
    for (int i = 0; i < 50; ++i) {
      REQUIRE(!(co_await with_timeout(patience, plain.send_to("plain", into.local(), until::acknowledged))).ec);
      REQUIRE(!(co_await with_timeout(patience, special.send_to("special", into.local(), until::acknowledged))).ec);
    }
    for (int i = 0; i < 100; ++i) REQUIRE(!(co_await with_timeout(patience, into.receive())).ec);
    CHECK(w.near().tables().connections.size() == 1);
    CHECK(w.near().counters().conn_reset == 0);
  });
}
