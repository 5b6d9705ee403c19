// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a waiting operation that never ends, or ends well though nothing was done; a descriptor, coroutine or byte
// that stays behind.
// Forced by: closing sockets and nodes under every kind of waiting operation, and counting what the process holds.

#include "node/world.hpp"

#include <rdsco/when_all.hpp>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <string>

namespace {

using namespace rdsco;
using namespace rdsco::test;

constexpr std::string_view absent = "127.0.0.77";

std::size_t descriptors() {
  std::filesystem::directory_iterator const all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

struct outcomes {
  std::vector<std::error_code> all;
  [[nodiscard]] bool every(errc expected) const {
    return std::all_of(all.begin(), all.end(), [&](std::error_code const& each) { return each == expected; });
  }
};

template <class Operation>
task<> record(outcomes& into, Operation operation) {
  auto work = operation();
  result<> const outcome = co_await std::move(work);
  into.all.push_back(outcome.ec);
}

// Everything that can wait on a socket, waiting. `tight` has a full send buffer, `full` is a congested port.
void wait_in_every_way(task_group& group, outcomes& seen, socket& tight, endpoint full, mutable_buffer scratch) {
  auto const add = [&](auto operation) { group.spawn(record<decltype(operation)>(seen, operation)); };
  socket* const on = &tight;
  add([on]() -> task<result<>> {
    auto got = co_await on->receive();
    co_return got.ec;
  });
  add([on, scratch]() -> task<result<>> {
    auto got = co_await on->receive_into(scratch);
    co_return got.ec;
  });
  add([on]() -> task<result<>> { co_return co_await on->send_to("room", to(absent, 9)); });
  add([on, full]() -> task<result<>> { co_return co_await on->send_to({}, full); });
  add([on]() -> task<result<>> { co_return co_await on->send_to({}, to(absent, 8), until::acknowledged); });
  add([on]() -> task<result<>> { co_return co_await on->writable(to(absent, 8)); });
  add([on, full]() -> task<result<>> { co_return co_await on->writable(full); });
  add([on]() -> task<result<>> {
    auto left = co_await on->drain(patience);
    co_return left.ec;
  });
}
constexpr std::size_t ways_to_wait = 8;

task<> congest(world& w, socket& from, socket& into) {
  REQUIRE(!(co_await with_timeout(patience, from.send_to("too much", into.local()))).ec);
  REQUIRE(co_await eventually([&] { return from.try_send_to({}, into.local()) == errc::congested; }));
  static_cast<void>(w);
}

task<> close_socket(world& w) {
  socket tight = w.near_socket(4000), full = w.far_socket(5000), filler = w.near_socket();
  full.set_buffers(100, 0);
  co_await congest(w, filler, full);
  tight.set_buffers(10, 10);
  CHECK_FALSE(tight.try_send_to("ten bytes.", to(absent, 9)));
  outcomes seen;
  std::array<std::byte, 8> scratch{};
  task_group group(w.where);
  wait_in_every_way(group, seen, tight, full.local(), scratch);
  co_await yield();
  REQUIRE(seen.all.empty());
  tight.close();
  CHECK(seen.all.empty());  // nobody is resumed in place
  co_await group.join();
  CHECK(seen.all.size() == ways_to_wait);
  CHECK(seen.every(errc::closed));
  CHECK_FALSE(tight);
  tight.close();
}

task<> send_lots(socket& from, endpoint there, std::size_t bytes) {
  auto const payload = pattern(0, bytes);
  for (;;) {
    auto const sent = co_await from.send_to(payload, there);
    if (sent.ec) co_return;
  }
}

task<> receive_lots(socket& into) {
  for (;;) {
    auto const got = co_await into.receive();
    if (got.ec) co_return;
  }
}

task<> ping_lots(node& on, address from, address there) {
  for (int i = 0; i < 100; ++i) {
    auto const trip = co_await on.ping(from, there);
    if (trip.ec) co_return;
  }
}

// Everything in flight: traffic both ways, pings, a peer that is not there, full buffers and everybody waiting.
struct traffic {
  explicit traffic(world& w)
      : near(w.near_socket(4000)), far(w.far_socket(5000)), tight(w.near_socket(4001)), unread(w.far_socket(5001)), group(w.where) {
    near.set_buffers(40000, 40000);
    far.set_buffers(40000, 40000);
    tight.set_buffers(10, 10);
    unread.set_buffers(1000, 1000);
    static_cast<void>(tight.try_send_to("ten bytes.", to(absent, 9)));
    group.spawn(send_lots(near, far.local(), 15000));
    group.spawn(send_lots(far, near.local(), 100));
    group.spawn(send_lots(near, unread.local(), 100));
    group.spawn(receive_lots(near));
    group.spawn(receive_lots(far));
    group.spawn(ping_lots(w.near(), at(w.near_host), at(w.far_host)));
    group.spawn(ping_lots(w.far(), at(w.far_host), at(w.near_host)));
    wait_in_every_way(group, seen, tight, unread.local(), scratch);
  }
  socket near, far, tight, unread;
  std::array<std::byte, 8> scratch{};
  outcomes seen;
  task_group group;
};

task<> close_and_look(node& which) {
  static_cast<void>(co_await which.close(1ms));
  CHECK(which.memory_in_use() == 0);
}

// Whoever is told that the node is closed may use its TCP port again.
task<> close_and_open_again(world& w) {
  static_cast<void>(co_await w.near().close());
  auto again = node::open(w.where, on_tcp(w.near_host));
  CHECK_FALSE(again.ec);
  if (!again.ec) static_cast<void>(co_await again.data.close());
}

void close_under_traffic(way how, unsigned turns) {
  INFO(name(how) << " after " << turns << " turns");
  std::size_t const before = descriptors();
  {
    world w(how);
    traffic under(w);
    for (unsigned turn = 0; turn < turns; ++turn) w.where.poll();
    block_on(w.where, [](world& on, task_group& group) -> task<> {
      co_await on.near().close(0ns);
      if (!on.one_node()) co_await on.far().close(0ns);
      co_await group.join();
      CHECK(co_await on.near().close() == 0);
      CHECK(co_await on.far().close() == 0);
    }(w, under.group));
    CHECK(under.near.try_send_to("x", under.far.local()) == errc::closed);
    CHECK(under.far.try_receive().ec == errc::closed);
    w.finish();
    CHECK(w.where.frames() == 0);
    if (how == way::same_address) CHECK(descriptors() <= before + 3);  // the loop's own
  }
  CHECK(descriptors() == before);
}

}  // namespace

TEST_CASE("closing a socket ends whatever waits on it, with closed") { in(over_tcp, close_socket); }

TEST_CASE("closing a node with everything in flight leaves nothing") {
  for (way const how : every_way)
    for (unsigned const turns : {0u, 1u, 2u, 5u, 20u, 60u}) close_under_traffic(how, turns);
}

TEST_CASE("several may close a node at once") {
  in(every_way, [](world& w) -> task<> {
    socket from = w.near_socket();
    CHECK_FALSE(from.try_send_to("x", to(w.far_host, 9)));
    if (!w.one_node()) CHECK_FALSE(from.try_send_to("x", to(absent, 9)));
    co_await when_all(close_and_look(w.near()), close_and_look(w.near()), close_and_look(w.near()));
    CHECK(w.near().bind(at(w.near_host)).ec == errc::closed);
    CHECK(w.near().memory_in_use() == 0);
  });
}

TEST_CASE("the second to close a node waits without turning the loop") {
  in(over_tcp, [](world& w) -> task<> {
    socket from = w.near_socket(), into = w.far_socket();
    auto const sent = co_await with_timeout(patience, from.send_to("x", into.local(), until::acknowledged));
    REQUIRE(!sent.ec);
    auto const resumed = w.where.counters().resumed;
    co_await when_all(close_and_look(w.near()), close_and_look(w.near()), close_and_look(w.near()));
    CHECK(w.where.counters().resumed - resumed < 300);
  });
}

TEST_CASE("the second to close a node is not told before the first") {
  in(over_tcp, [](world& w) -> task<> {
    socket from = w.near_socket(), into = w.far_socket();
    auto const sent = co_await with_timeout(patience, from.send_to("x", into.local(), until::acknowledged));
    REQUIRE(!sent.ec);
    auto first = w.near().close();
    co_await when_all(std::move(first), close_and_open_again(w));
  });
}

TEST_CASE("closing drains unless it is told otherwise") {
  in(over_tcp, [](world& w) -> task<> {
    socket from = w.near_socket(), into = w.far_socket(5000);
    auto const payload = pattern(9, 1000000);
    CHECK_FALSE(from.try_send_to(payload, into.local()));
    CHECK(co_await w.near().close() == 0);
    auto const got = co_await with_timeout(patience, into.receive());
    REQUIRE(!got.ec);
    CHECK(matches(got.data, 9, payload.size()));
  });
  in(over_tcp, [](world& w) -> task<> {
    socket from = w.near_socket();
    CHECK_FALSE(from.try_send_to("one", to(absent, 9)));
    CHECK(co_await w.near().close(0ns) == 1);
  });
}

TEST_CASE("closing waits for acknowledgements as long as it is told") {
  in(over_tcp, [](world& w) -> task<> {
    socket from = w.near_socket(), into = w.far_socket(5000);
    auto const payload = pattern(9, 1000000);
    CHECK_FALSE(from.try_send_to(payload, into.local()));
    CHECK(co_await w.near().close(patience) == 0);
    auto const got = co_await with_timeout(patience, into.receive());
    REQUIRE(!got.ec);
    CHECK(matches(got.data, 9, payload.size()));
  });
  in(over_tcp, [](world& w) -> task<> {
    socket from = w.near_socket();
    CHECK_FALSE(from.try_send_to("one", to(absent, 9)));
    CHECK_FALSE(from.try_send_to("two", to(absent, 9)));
    CHECK(co_await w.near().close(1ms) == 2);
  });
}

TEST_CASE("a node that closes acknowledges what it has taken") {
  for (way const how : over_tcp) {
    INFO(name(how));
    tcp_options late;
    late.acknowledge_within = std::chrono::hours(1);
    world w(how, {}, {}, late);
    block_on(w.where, [](world& on) -> task<> {
      socket from = on.near_socket(), into = on.far_socket();
      // Whoever awaits it is acknowledged at once; by now both know what the other is.
      auto const first = co_await with_timeout(patience, from.send_to("first", into.local(), until::acknowledged));
      REQUIRE(!first.ec);
      CHECK_FALSE(from.try_send_to("last", into.local()));
      for (int i = 0; i < 2; ++i) {
        auto const got = co_await with_timeout(patience, into.receive());
        REQUIRE(!got.ec);
      }
      static_cast<void>(co_await on.far().close());
      auto const left = co_await from.drain(patience);
      CHECK(!left.ec);
      CHECK(left.data == 0);
    }(w));
    w.finish();
  }
}

TEST_CASE("a node that nobody closed closes itself") {
  for (way const how : every_way) {
    INFO(name(how));
    std::size_t const before = descriptors();
    {
      world w(how);
      socket from = w.near_socket(), into = w.far_socket(5000);
      for (int i = 0; i < 10; ++i) CHECK_FALSE(from.try_send_to(pattern(0, 100000), into.local()));
      for (int i = 0; i < 5; ++i) w.where.poll();
      w.destroy_nodes();
      CHECK(w.where.frames() == 0);
      CHECK(from.try_send_to("x", into.local()) == errc::closed);
    }
    CHECK(descriptors() == before);
  }
}

TEST_CASE("a node that cannot be opened leaves nothing") {
  std::size_t const before = descriptors();
  {
    loop where;
    std::size_t const with_loop = descriptors();
    node taken = open(where, on_tcp("127.0.0.1"));
    auto const refused = [&](node_options const& told) { return node::open(where, told).ec; };
    std::size_t const with_node = descriptors();
    CHECK(refused(on_tcp("127.0.0.1")) == errc::address_in_use);
    CHECK(refused(on_tcp("192.0.2.1")) == errc::address_not_owned);
    CHECK(refused(on_tcp("0.0.0.0")) == errc::invalid_address);
    CHECK(refused(on_tcp("224.0.0.1")) == errc::invalid_address);
    // The second address fails: the first is given up too.
    CHECK(refused(on_tcp("127.0.0.3").own(at("127.0.0.1"))) == errc::address_in_use);
    CHECK(refused(on_tcp("127.0.0.3").own(at("192.0.2.1"))) == errc::address_not_owned);
    CHECK(refused(on_tcp("127.0.0.3").own(at("127.0.0.3"))) == errc::address_in_use);
    where.poll();
    CHECK(descriptors() == with_node);
    node third = open(where, on_tcp("127.0.0.3"));
    block_on(where, third.close());
    block_on(where, taken.close());
    where.poll();
    CHECK(where.frames() == 0);
    CHECK(descriptors() == with_loop);
  }
  CHECK(descriptors() == before);
}
