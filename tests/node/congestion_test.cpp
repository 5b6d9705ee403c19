// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a port marked congested a byte too early or late, a waiter that nobody wakes, one slow port that holds up
// others, a mark that outlives its socket.
// Forced by: receivers filled and emptied byte by byte around both thresholds, with senders waiting on every side.

#include "node/world.hpp"

#include <string>

namespace {

using namespace rdsco;
using namespace rdsco::test;

socket_options receiving(std::size_t bytes) {
  socket_options made;
  made.receive_buffer = bytes;
  return made;
}

// Sends and waits until the receiver's queue has it, and until the sender has heard whatever that changed.
task<> fill(world& w, socket& from, socket const& into, std::size_t bytes) {
  std::size_t const before = unread_bytes(w.far(), into.local());
  auto const sent = co_await with_timeout(patience, from.send_to(pattern(0, bytes), into.local()));
  REQUIRE(!sent.ec);
  REQUIRE(co_await eventually([&] { return unread_bytes(w.far(), into.local()) == before + bytes; }));
}

// A map sent before this answer has arrived before it: TCP keeps their order.
task<> settle(world& w) {
  for (int round = 0; round < 2; ++round) {
    auto const there = co_await with_timeout(patience, w.far().ping(at(w.far_host), at(w.near_host)));
    REQUIRE(!there.ec);
  }
}

task<bool> congested(world& w, socket& from, endpoint there) {
  co_await settle(w);
  auto const why = from.try_send_to({}, there);
  REQUIRE((!why || why == errc::congested));
  co_return why == errc::congested;
}

task<> thresholds(world& w) {
  socket from = w.near_socket(), into = w.far_socket(5000, receiving(1000));
  co_await fill(w, from, into, 499);
  co_await fill(w, from, into, 2);
  co_await fill(w, from, into, 499);
  CHECK_FALSE(co_await congested(w, from, into.local()));  // 1000: not above
  co_await fill(w, from, into, 1);
  CHECK(co_await congested(w, from, into.local()));  // 1001
  std::vector<message> held;
  auto const take = [&] { held.push_back(into.try_receive().value()); };
  take();
  CHECK(co_await congested(w, from, into.local()));  // lent, and so still counted
  held.clear();
  CHECK(co_await congested(w, from, into.local()));  // 502 are left
  take();
  held.clear();
  CHECK(co_await congested(w, from, into.local()));  // 500: not below half
  take();
  take();  // the empty one that found the port not congested
  CHECK(held.back().empty());
  CHECK(co_await congested(w, from, into.local()));
  held.erase(held.begin());
  CHECK_FALSE(co_await congested(w, from, into.local()));  // 1
}

task<> below_half_by_one(world& w) {
  socket from = w.near_socket(), into = w.far_socket(5000, receiving(1000));
  co_await fill(w, from, into, 502);
  co_await fill(w, from, into, 499);
  CHECK(co_await congested(w, from, into.local()));
  into.try_receive().value().release();
  CHECK_FALSE(co_await congested(w, from, into.local()));  // 499
}

task<> empty_ones_never(world& w) {
  socket from = w.near_socket(), into = w.far_socket(5000, receiving(0));
  for (int i = 0; i < 100; ++i) REQUIRE(!(co_await from.send_to({}, into.local())).ec);
  CHECK_FALSE(co_await congested(w, from, into.local()));
  // Even a buffer with no half becomes free when it is empty.
  co_await fill(w, from, into, 1);
  CHECK(co_await congested(w, from, into.local()));
  for (auto got = into.try_receive(); !got.ec; got = into.try_receive()) got.data.release();
  CHECK_FALSE(co_await congested(w, from, into.local()));
}

task<> one_send(socket& from, endpoint there, int id, std::string& ended) {
  auto const sent = co_await with_timeout(patience, from.send_to("x", there));
  ended += static_cast<char>((sent.ec ? 'A' : 'a') + id);
}

task<> one_wait(socket& from, endpoint there, int id, std::string& ended) {
  auto const free = co_await with_timeout(patience, from.writable(there));
  ended += static_cast<char>((free.ec ? 'A' : 'a') + id);
}

task<> others_go_on(world& w) {
  socket from = w.near_socket(), other = w.near_socket();
  socket slow = w.far_socket(5000, receiving(10)), quick = w.far_socket(5001);
  co_await fill(w, from, slow, 11);
  REQUIRE(co_await congested(w, from, slow.local()));
  std::string ended;
  task_group group(w.where);
  group.spawn(one_send(from, slow.local(), 0, ended));
  group.spawn(one_send(other, slow.local(), 1, ended));
  group.spawn(one_wait(from, slow.local(), 2, ended));
  group.spawn(one_wait(other, slow.local(), 3, ended));
  co_await yield();
  for (int i = 0; i < 50; ++i) {
    REQUIRE(!(co_await with_timeout(patience, from.send_to(pattern(0, 1000), quick.local()))).ec);
    REQUIRE(!(co_await with_timeout(patience, quick.receive())).ec);
  }
  CHECK(ended.empty());
  slow.try_receive().value().release();
  REQUIRE(co_await eventually([&] { return ended.size() == 4; }));  // no waiter is forgotten
  std::sort(ended.begin(), ended.end());
  CHECK(ended == "abcd");
  co_await group.join();
  for (int i = 0; i < 2; ++i) CHECK((co_await with_timeout(patience, slow.receive())).data.size() == 1);
}

// The first that is woken fills the port again: the others go on waiting, and are woken again.
task<> woken_one_by_one(world& w) {
  socket from = w.near_socket(), into = w.far_socket(5000, receiving(0));
  co_await fill(w, from, into, 1);
  REQUIRE(co_await congested(w, from, into.local()));
  std::string ended;
  task_group group(w.where);
  for (int id = 0; id < 8; ++id) group.spawn(one_send(from, into.local(), id, ended));
  co_await yield();
  std::size_t got = 0;
  while (got < 9) {
    message const one = (co_await with_timeout(patience, into.receive())).value();
    got += one.size();
  }
  co_await group.join();
  CHECK(ended == "abcdefgh");
}

task<> closing_frees_the_port(world& w) {
  socket from = w.near_socket(), into = w.far_socket(5000, receiving(10));
  co_await fill(w, from, into, 11);
  REQUIRE(co_await congested(w, from, into.local()));
  std::string ended;
  task_group group(w.where);
  group.spawn(one_wait(from, into.local(), 0, ended));
  co_await yield();
  message const held = into.try_receive().value();
  endpoint const there = into.local();
  into.close();
  co_await group.join();
  CHECK(ended == "a");
  CHECK_FALSE(co_await congested(w, from, there));
  socket again = w.far_socket(5000, receiving(10));
  CHECK_FALSE(co_await congested(w, from, there));
}

task<> buffers_may_change(world& w) {
  socket from = w.near_socket(), into = w.far_socket(5000, receiving(100));
  co_await fill(w, from, into, 60);
  into.set_buffers(100, 59);
  CHECK(co_await congested(w, from, into.local()));
  into.set_buffers(100, 121);
  CHECK(co_await congested(w, from, into.local()));  // exactly half
  into.set_buffers(100, 122);
  CHECK_FALSE(co_await congested(w, from, into.local()));
}

}  // namespace

TEST_CASE("a port is congested above the receive buffer and free below half of it") { in(every_way, thresholds); }
TEST_CASE("half of the receive buffer is an exact bound") { in(every_way, below_half_by_one); }
TEST_CASE("empty datagrams congest nothing") { in(every_way, empty_ones_never); }
TEST_CASE("whoever waits for a congested port holds up nobody else, and is woken") { in(every_way, others_go_on); }
TEST_CASE("senders to a port that fills again at once are all served, in order") { in(every_way, woken_one_by_one); }
TEST_CASE("a socket that closes while congested frees its port") { in(every_way, closing_frees_the_port); }
TEST_CASE("changing the receive buffer changes what is congested") { in(every_way, buffers_may_change); }
