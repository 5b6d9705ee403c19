// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a datagram torn, cut, repeated, from the wrong sender, or gone with its socket or node.
// Forced by: sizes around every internal boundary, gather lists, short buffers and destruction in every order, in every way.

#include "node/world.hpp"

#include <numeric>
#include <optional>

namespace {

using namespace rdsco;
using namespace rdsco::test;

constexpr std::size_t sizes[] = {0, 1, 47, 48, 4095, 8191, 8192, 65536, 1048575, 1048576};

// The message that comes next, or nothing in all the patience there is.
task<message> next(socket& from) {
  auto got = co_await with_timeout(patience, from.receive());
  INFO(got.ec.message());
  REQUIRE(!got.ec);
  co_return std::move(got.data);
}

task<> every_size(world& w) {
  socket from = w.near_socket(4000), into = w.far_socket(5000);
  std::uint64_t index = 0;
  for (until const what : {until::accepted, until::acknowledged}) {
    for (std::size_t const size : sizes) {
      auto const payload = pattern(index, size);
      REQUIRE(!(co_await with_timeout(patience, from.send_to(payload, into.local(), what))).ec);
      message const got = co_await next(into);
      REQUIRE(matches(got, index++, size));
      REQUIRE(got.from() == from.local());
    }
  }
  CHECK((co_await from.drain(patience)).data == 0);
}

task<> gather_lists(world& w) {
  socket from = w.near_socket(), into = w.far_socket();
  for (until const what : {until::accepted, until::acknowledged}) {
    for (std::size_t const size : {std::size_t{0}, std::size_t{6}, std::size_t{4096}, std::size_t{1048576}}) {
      auto const payload = pattern(7, size);
      const_buffer const all(payload);
      // Empty parts at the start, in the middle and at the end.
      std::array<const_buffer, 6> const parts{const_buffer(), all.first(size / 3), const_buffer(), all.subspan(size / 3, size / 3),
                                              all.subspan(size / 3 * 2), const_buffer()};
      const_buffers const list{std::span<const_buffer const>(parts)};
      REQUIRE(!(co_await with_timeout(patience, from.send_to(list, into.local(), what))).ec);
      message const got = co_await next(into);
      REQUIRE(matches(got, 7, size));
    }
    // More parts than one system call takes.
    auto const payload = pattern(8, 3000 * 4);
    std::vector<const_buffer> parts;
    for (std::size_t i = 0; i < payload.size(); i += 4) parts.push_back(const_buffer(payload).subspan(i, 4));
    const_buffers const list{std::span<const_buffer const>(parts)};
    REQUIRE(!(co_await with_timeout(patience, from.send_to(list, into.local(), what))).ec);
    message const got = co_await next(into);
    REQUIRE(matches(got, 8, payload.size()));
  }
  std::span<const_buffer const> const no_parts;
  const_buffers const nothing(no_parts);
  REQUIRE(!(co_await from.send_to(nothing, into.local())).ec);
  CHECK((co_await next(into)).empty());
}

task<> short_buffers(world& w) {
  socket from = w.near_socket(4000), into = w.far_socket(5000);
  auto const payload = pattern(3, 100);
  for (int i = 0; i < 4; ++i) REQUIRE(!(co_await from.send_to(payload, into.local())).ec);
  REQUIRE(!(co_await from.send_to("last", into.local())).ec);
  for (std::size_t const room : {std::size_t{0}, std::size_t{99}, std::size_t{100}, std::size_t{200}}) {
    std::vector<std::byte> buffer(room + 1, std::byte{0xee});
    auto const got = co_await with_timeout(patience, into.receive_into(mutable_buffer(buffer).first(room)));
    REQUIRE(!got.ec);
    CHECK(got.data.size == 100);
    CHECK(got.data.copied == std::min<std::size_t>(room, 100));
    CHECK(got.data.truncated() == (room < 100));
    CHECK(got.data.from == from.local());
    CHECK(std::equal(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(got.data.copied), payload.begin()));
    CHECK(buffer.back() == std::byte{0xee});
    CHECK(static_cast<bool>(got.data.whole) == got.data.truncated());
    if (got.data.truncated()) {
      CHECK(matches(got.data.whole, 3, 100));
      CHECK(got.data.whole.from() == from.local());
    }
  }
  // The next datagram follows, and nothing of the earlier ones is held any more.
  CHECK(unread_bytes(w.far(), into.local()) == 4);
  message const got = co_await next(into);
  std::vector<std::byte> scratch;
  CHECK(as_text(got.contiguous(scratch)) == "last");
}

task<> peeking(world& w) {
  socket from = w.near_socket(4000), into = w.far_socket(5000);
  std::array<std::byte, 4> buffer{};
  CHECK(into.peek(buffer).ec == errc::would_block);
  CHECK(into.try_receive().ec == errc::would_block);
  REQUIRE(!(co_await from.send_to("first one", into.local())).ec);
  REQUIRE(!(co_await from.send_to("second", into.local())).ec);
  REQUIRE(co_await eventually([&] { return unread_bytes(w.far(), into.local()) == 15; }));
  for (int i = 0; i < 2; ++i) {
    auto const seen = into.peek(buffer);
    REQUIRE(!seen.ec);
    CHECK(as_text(buffer) == "firs");
    CHECK(seen.data.size == 9);
    CHECK(seen.data.truncated());
    CHECK_FALSE(seen.data.whole);
    CHECK(seen.data.from == from.local());
  }
  std::array<std::byte, 16> large{};
  auto first = into.try_receive();
  REQUIRE(!first.ec);
  CHECK(first.data.copy_to(large) == 9);
  CHECK(as_text(const_buffer(large).first(9)) == "first one");
  CHECK(first.data.copy_to(buffer) == 4);
  auto const second = into.try_receive();
  REQUIRE(!second.ec);
  CHECK(second.data.size() == 6);
  CHECK(into.try_receive().ec == errc::would_block);
}

task<> default_peers(world& w) {
  socket from = w.near_socket(4000), into = w.far_socket(5000), other = w.far_socket(5001);
  CHECK((co_await from.send("x")).ec == errc::no_destination);
  CHECK(from.default_peer() == endpoint());
  CHECK(from.set_default_peer(endpoint()) == errc::no_destination);
  CHECK(from.set_default_peer(to("224.0.0.1", 5)) == errc::invalid_address);
  CHECK(from.set_default_peer(to("255.255.255.255", 5)) == errc::invalid_address);
  CHECK(from.set_default_peer(to("::1", 5)) == errc::address_family);
  CHECK(from.default_peer() == endpoint());
  CHECK_FALSE(from.set_default_peer(into.local()));
  CHECK(from.default_peer() == into.local());
  REQUIRE(!(co_await from.send("one")).ec);
  CHECK((co_await next(into)).size() == 3);
  CHECK_FALSE(from.set_default_peer(other.local()));
  REQUIRE(!(co_await from.send("two!")).ec);
  CHECK((co_await next(other)).size() == 4);
  // It filters nothing.
  REQUIRE(!(co_await into.send_to("hello", from.local())).ec);
  CHECK((co_await next(from)).from() == into.local());
}

task<> wrong_destinations(world& w) {
  socket from = w.near_socket();
  std::vector<std::byte> const too_much((1u << 20) + 1);
  auto const refused = [&](const_buffers payload, endpoint const& where) { return from.try_send_to(payload, where); };
  CHECK(refused("x", endpoint()) == errc::no_destination);
  CHECK(refused("x", to("224.0.0.1", 5)) == errc::invalid_address);
  CHECK(refused("x", to("255.255.255.255", 5)) == errc::invalid_address);
  CHECK(refused("x", to("::1", 5)) == errc::address_family);
  CHECK(refused("x", to("10.0.0.1", 5)) == errc::peer_not_allowed);
  CHECK(refused("x", to(w.far_host, 1)) == errc::invalid_port);
  CHECK(refused(too_much, to(w.far_host, 5)) == errc::message_too_large);
  from.set_buffers(10, 10);
  CHECK(refused("eleven byte", to(w.far_host, 5)) == errc::message_too_large);
  CHECK((co_await from.send_to(too_much, to(w.far_host, 5))).ec == errc::message_too_large);
  CHECK((co_await from.writable(to("10.0.0.1", 5))).ec == errc::peer_not_allowed);
  CHECK(from.unacknowledged() == 0);
}

task<> to_nobody(world& w) {
  socket from = w.near_socket(), into = w.far_socket(5000);
  endpoint const nobody = to(w.far_host, 5001);
  auto const& counted = w.far().counters();
  for (std::size_t const size : {std::size_t{0}, std::size_t{10}, std::size_t{300000}})
    REQUIRE(!(co_await with_timeout(patience, from.send_to(pattern(0, size), nobody, until::acknowledged))).ec);
  CHECK(counted.recv_drop_no_sock == 3);
  // And what follows is not disturbed.
  REQUIRE(!(co_await from.send_to("after", into.local())).ec);
  CHECK((co_await next(into)).size() == 5);
  CHECK(counted.recv_drop_no_sock == 3);
}

task<> same_port_as_before(world& w) {
  socket from = w.near_socket(), into = w.far_socket(5000);
  REQUIRE(!(co_await with_timeout(patience, from.send_to("for the first", into.local(), until::acknowledged))).ec);
  into.close();
  socket again = w.far_socket(5000);
  CHECK(again.try_receive().ec == errc::would_block);
  REQUIRE(!(co_await from.send_to("for the next", again.local())).ec);
  CHECK((co_await next(again)).size() == 12);
}

task<> moving(world& w) {
  socket from = w.near_socket(4000), into = w.far_socket(5000);
  socket moved(std::move(from));
  CHECK_FALSE(from);
  CHECK(from.try_send_to("x", into.local()) == errc::not_bound);
  CHECK(moved.local() == to(w.near_host, 4000));
  // A receive that waits goes on waiting for the same socket.
  task_group group(w.where);
  std::optional<std::size_t> got;
  group.spawn([&](socket& on) -> task<> { got = (co_await next(on)).size(); }, std::ref(into));
  co_await yield();
  socket into_moved(std::move(into));
  REQUIRE(!(co_await moved.send_to("four", into_moved.local())).ec);
  co_await group.join();
  CHECK(got == 4);
  // Assigning closes what was there.
  socket third = w.far_socket(5001);
  third = std::move(into_moved);
  CHECK(third.local().port == 5000);
  CHECK_FALSE(w.far().bind(at(w.far_host), 5001).ec);
  socket& self = third;
  third = std::move(self);
  CHECK(third.local().port == 5000);
}

task<message> lent_from(world& w, socket& into) {
  socket from = w.near_socket(4000);
  REQUIRE(!(co_await with_timeout(patience, from.send_to(pattern(5, 5000), into.local(), until::acknowledged))).ec);
  co_return co_await next(into);
}

}  // namespace

TEST_CASE("every size arrives whole") { in(every_way, every_size); }
TEST_CASE("a gather list arrives as one datagram") { in(every_way, gather_lists); }
TEST_CASE("receive_into copies what fits, says so where that is not all, and lends the whole") { in(every_way, short_buffers); }
TEST_CASE("peek takes nothing") { in(every_way, peeking); }
TEST_CASE("send goes to the default peer") { in(every_way, default_peers); }
TEST_CASE("a destination that cannot be is refused at once") { in(every_way, wrong_destinations); }
TEST_CASE("a datagram for a port that nobody has is dropped, counted and acknowledged") { in(every_way, to_nobody); }
TEST_CASE("a new socket on a port gets nothing of its predecessor's") { in(every_way, same_port_as_before); }
TEST_CASE("a list of more buffers than one call takes does not look like a full TCP") {
  in(over_tcp, [](world& w) -> task<> {
    socket from = w.near_socket(), into = w.far_socket();
    auto const payload = pattern(1, 3 * detail::io_backend::buffers_per_call * 16);
    std::vector<const_buffer> parts;
    for (std::size_t at = 0; at < payload.size(); at += 16) parts.push_back(const_buffer(payload).subspan(at, 16));
    const_buffers const list{std::span<const_buffer const>(parts)};
    auto const sent = co_await with_timeout(patience, from.send_to(list, into.local(), until::acknowledged));
    REQUIRE_FALSE(sent.ec);
    message const got = co_await next(into);
    CHECK(matches(got, 1, payload.size()));
    CHECK(w.near().counters().tcp_sndbuf_full == 0);
  });
}

TEST_CASE("a socket may be moved while it is in use") { in(every_way, moving); }

TEST_CASE("a socket sends to itself") {
  in(std::array{way::same_address}, [](world& w) -> task<> {
    socket self = w.near_socket(4000);
    REQUIRE(!(co_await self.send_to("me", self.local(), until::acknowledged)).ec);
    message const got = co_await next(self);
    CHECK(got.from() == self.local());
    CHECK(got.size() == 2);
  });
}

TEST_CASE("a message outlives its socket and its node") {
  enum class first_gone { socket, node, node_closed };
  for (way const how : every_way) {
    for (auto const first : {first_gone::socket, first_gone::node, first_gone::node_closed}) {
      INFO(name(how) << ", order " << static_cast<int>(first));
      world w(how);
      socket into = w.far_socket(5000);
      message kept = block_on(w.where, lent_from(w, into));
      CHECK(w.far().memory_in_use() != 0);
      if (first == first_gone::socket) into.close();
      if (first == first_gone::node_closed) {
        block_on(w.where, w.far().close());
        CHECK(w.far().memory_in_use() != 0);
        into.close();
      }
      w.destroy_nodes();
      CHECK(matches(kept, 5, 5000));
      CHECK(kept.from().port == 4000);
      message moved(std::move(kept));
      CHECK_FALSE(kept);
      CHECK(kept.size() == 0);
      moved.release();
      CHECK_FALSE(moved);
      moved.release();
      CHECK(w.where.frames() == 0);
    }
  }
}
