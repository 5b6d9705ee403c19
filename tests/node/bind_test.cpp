// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a port bound twice, a reserved one handed out, a port lost when its socket closes, a wrong error.
// Forced by: every kind of port and address in turn, all ports of an address at once, and binding again after each close.

#include "node/world.hpp"

#include <set>

namespace {

using namespace rdsco;
using namespace rdsco::test;

std::error_code refusal(node& on, std::string_view host, std::uint16_t port) { return on.bind(at(host), port).ec; }

}  // namespace

TEST_CASE("a socket is bound to the port it names, once") {
  world w(way::two_addresses);
  {
    socket const first = w.near_socket(4000);
    CHECK(first.local() == to("127.0.0.1", 4000));
    CHECK(refusal(w.near(), "127.0.0.1", 4000) == errc::address_in_use);
    socket const elsewhere = w.far_socket(4000);
    CHECK(elsewhere.local() == to("127.0.0.2", 4000));
  }
  CHECK_FALSE(refusal(w.near(), "127.0.0.1", 4000));
  w.finish();
}

TEST_CASE("the ports of the protocol are not bound") {
  world w(way::same_address);
  CHECK(refusal(w.near(), "127.0.0.1", 1) == errc::invalid_port);
  for (unsigned port = 65520; port <= 65535; ++port)
    CHECK(refusal(w.near(), "127.0.0.1", static_cast<std::uint16_t>(port)) == errc::invalid_port);
  CHECK_FALSE(refusal(w.near(), "127.0.0.1", 2));
  CHECK_FALSE(refusal(w.near(), "127.0.0.1", 65519));
  w.finish();
}

TEST_CASE("only addresses of the node are bound") {
  world w(way::connecting);
  CHECK(refusal(w.near(), "127.0.0.9", 4000) == errc::address_not_owned);
  CHECK(refusal(w.near(), "127.0.0.2", 4000) == errc::address_not_owned);
  CHECK(refusal(w.near(), "0.0.0.0", 4000) == errc::address_not_owned);
  CHECK(refusal(w.near(), "::1", 4000) == errc::address_not_owned);
  w.finish();
}

TEST_CASE("port 0 picks free ports until there is none") {
  world w(way::same_address);
  std::vector<socket> all;
  std::set<std::uint16_t> ports;
  for (unsigned count = 0; count < 65518; ++count) {
    auto made = w.near().bind(at("127.0.0.1"));
    if (made.ec) FAIL("after " << count << " sockets: " << made.ec.message());
    ports.insert(made.data.local().port);
    all.push_back(std::move(made.data));
  }
  CHECK(ports.size() == 65518);
  CHECK(*ports.begin() == 2);
  CHECK(*ports.rbegin() == 65519);
  CHECK(refusal(w.near(), "127.0.0.1", 0) == errc::address_in_use);
  std::uint16_t const freed = all[30000].local().port;
  all[30000].close();
  socket const again = bound(w.near(), "127.0.0.1");
  CHECK(again.local().port == freed);
  all.clear();
  w.finish();
}

TEST_CASE("no more sockets than the node's limit") {
  node_limits bounds;
  bounds.sockets = 3;
  world w(way::two_addresses, bounds);
  socket const one = w.near_socket(10), two = w.far_socket(10);
  socket three = w.near_socket(11);
  CHECK(refusal(w.near(), "127.0.0.1", 12) == errc::limit_reached);
  three.close();
  CHECK_FALSE(refusal(w.near(), "127.0.0.1", 12));
  w.finish();
}

TEST_CASE("a closed node binds nothing, nor does one that was never opened") {
  world w(way::same_address);
  w.finish();
  CHECK(refusal(w.near(), "127.0.0.1", 4000) == errc::closed);
  node none;
  CHECK(refusal(none, "127.0.0.1", 4000) == errc::closed);
}

TEST_CASE("a socket that is not bound says so in every operation") {
  loop where;
  socket none;
  std::array<std::byte, 8> bytes{};
  CHECK_FALSE(none);
  CHECK(none.local() == endpoint());
  CHECK(none.default_peer() == endpoint());
  CHECK(none.try_send_to("x", to("127.0.0.1", 5)) == errc::not_bound);
  CHECK(none.try_receive().ec == errc::not_bound);
  CHECK(none.peek(bytes).ec == errc::not_bound);
  CHECK(none.set_default_peer(to("127.0.0.1", 5)) == errc::not_bound);
  CHECK(none.set_type_of_service(1) == errc::not_bound);
  CHECK(none.cancel_sent_to(to("127.0.0.1", 5)) == 0);
  CHECK(none.unacknowledged() == 0);
  none.set_buffers(1, 1);
  block_on(where, [](socket& sock, mutable_buffer into) -> task<> {
    endpoint const somewhere = to("127.0.0.1", 5);
    CHECK((co_await sock.send_to("x", somewhere)).ec == errc::not_bound);
    CHECK((co_await sock.send_to("x", somewhere, until::acknowledged)).ec == errc::not_bound);
    CHECK((co_await sock.send("x")).ec == errc::not_bound);
    CHECK((co_await sock.receive()).ec == errc::not_bound);
    CHECK((co_await sock.receive_into(into)).ec == errc::not_bound);
    CHECK((co_await sock.writable(somewhere)).ec == errc::not_bound);
    CHECK((co_await sock.drain(patience)).ec == errc::not_bound);
  }(none, bytes));
}
