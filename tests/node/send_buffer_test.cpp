// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a send accepted or refused at the wrong byte, waiters overtaking each other or sleeping for ever, bytes
// still counted after a withdrawal.
// Forced by: a peer that nobody answers for, so that nothing is ever acknowledged, and withdrawals one at a time.

#include "node/world.hpp"

#include <string>

namespace {

using namespace rdsco;
using namespace rdsco::test;

// Allowed, and never there: what is sent to it stays in the send buffer.
constexpr std::string_view absent = "127.0.0.77";

socket_options sending(std::size_t bytes) {
  socket_options made;
  made.send_buffer = bytes;
  return made;
}

std::size_t charged(world& w, socket const& of) {
  for (auto const& row : w.near().tables().sockets)
    if (row.bound == of.local()) return row.unacknowledged_bytes;
  return 0;
}

task<> accepted_while_below(world& w) {
  socket from = w.near_socket(0, sending(100));
  endpoint const there = to(absent, 5);
  CHECK_FALSE(from.try_send_to(pattern(0, 99), there));
  CHECK_FALSE(from.try_send_to(pattern(0, 100), there));  // one byte was free: the last may overshoot
  CHECK(charged(w, from) == 199);
  CHECK(from.try_send_to(pattern(0, 1), there) == errc::would_block);
  CHECK(w.near().counters().send_queue_full == 1);
  CHECK_FALSE(from.try_send_to({}, there));
  CHECK_FALSE((co_await from.send_to({}, there)).ec);
  CHECK(from.unacknowledged() == 4);
  CHECK(from.cancel_sent_to(to(absent, 6)) == 0);
  CHECK(from.cancel_sent_to(to("127.0.0.76", 5)) == 0);
  CHECK(from.cancel_sent_to(there) == 4);
  CHECK(charged(w, from) == 0);
  CHECK(from.unacknowledged() == 0);
  CHECK_FALSE(from.try_send_to(pattern(0, 100), there));
  CHECK(from.try_send_to(pattern(0, 1), there) == errc::would_block);  // full to the byte
}

task<> one_send(socket& from, std::size_t bytes, endpoint there, int id, std::string& ended) {
  auto const sent = co_await from.send_to(pattern(0, bytes), there);
  ended += static_cast<char>((sent.ec ? 'A' : 'a') + id);
}

task<> in_order_of_arrival(world& w) {
  socket from = w.near_socket(0, sending(100));
  for (std::uint16_t port = 10; port < 14; ++port) CHECK_FALSE(from.try_send_to(pattern(0, port == 10 ? 97 : 1), to(absent, port)));
  std::string ended;
  task_group group(w.where);
  for (int id = 0; id < 5; ++id) {
    group.spawn(one_send(from, id == 1 ? 100 : 1, to(absent, static_cast<std::uint16_t>(20 + id)), id, ended));
    co_await yield();
  }
  // Whoever does not wait does not overtake those who do, but for what needs no room.
  CHECK(from.try_send_to(pattern(0, 1), to(absent, 30)) == errc::would_block);
  CHECK_FALSE(from.try_send_to({}, to(absent, 30)));
  CHECK_FALSE((co_await from.send_to({}, to(absent, 30))).ec);
  CHECK(ended.empty());
  CHECK(from.cancel_sent_to(to(absent, 11)) == 1);  // one byte is free: for the first
  co_await yield();
  CHECK(ended == "a");
  CHECK(from.cancel_sent_to(to(absent, 12)) == 1);  // and for the second, which overshoots
  co_await yield();
  CHECK(ended == "ab");
  CHECK(from.cancel_sent_to(to(absent, 13)) == 1);
  co_await yield();
  CHECK(ended == "ab");
  CHECK(from.cancel_sent_to(to(absent, 10)) == 1);  // 101 bytes are left
  co_await yield();
  CHECK(ended == "ab");
  CHECK(from.cancel_sent_to(to(absent, 21)) == 1);  // 1 is left: room for everybody
  co_await yield();
  CHECK(ended == "abcde");
  co_await group.join();
}

task<> waits(socket& from, endpoint there, std::string& ended) {
  auto const free = co_await from.writable(there);
  ended += free.ec ? 'W' : 'w';
}

task<> writability(world& w) {
  socket from = w.near_socket(0, sending(100));
  endpoint const there = to(absent, 5);
  CHECK_FALSE((co_await from.writable(there)).ec);
  CHECK_FALSE(from.try_send_to(pattern(0, 100), there));
  std::string ended;
  task_group group(w.where);
  group.spawn(waits(from, there, ended));
  group.spawn(one_send(from, 1, there, 0, ended));
  co_await yield();
  CHECK(ended.empty());
  // Raising the limit makes room as well. Finding out takes none of it.
  from.set_buffers(101, 100);
  co_await yield();
  CHECK(ended == "wa");
  co_await group.join();
  CHECK(from.unacknowledged() == 2);
}

// Empty datagrams take no room, but their number is bounded too.
task<> very_many_empty(world& w) {
  socket from = w.near_socket(0, sending(100));
  std::size_t count = 0;
  while (count < 1000000 && !from.try_send_to({}, to(absent, 5))) ++count;
  CHECK(count == 65536);
  std::string ended;
  task_group group(w.where);
  CHECK(from.cancel_sent_to(to(absent, 5)) == count);
  std::size_t refused = 0;
  for (std::size_t again = 1; again < count; ++again) refused += from.try_send_to({}, to(absent, 5)) ? 1u : 0u;
  CHECK(refused == 0);
  CHECK_FALSE(from.try_send_to({}, to(absent, 6)));
  for (int id = 0; id < 3; ++id) group.spawn(one_send(from, 0, to(absent, 7), id, ended));
  co_await yield();
  CHECK(ended.empty());
  CHECK(from.cancel_sent_to(to(absent, 6)) == 1);
  co_await yield();
  CHECK(ended == "a");
  CHECK(from.cancel_sent_to(to(absent, 5)) == count - 1);
  co_await group.join();
  CHECK(ended == "abc");
}

task<> freed_by_acknowledgement(world& w) {
  socket from = w.near_socket(0, sending(1000)), into = w.far_socket(5000);
  for (int i = 0; i < 200; ++i) REQUIRE(!(co_await with_timeout(patience, from.send_to(pattern(0, 700), into.local()))).ec);
  auto const left = co_await from.drain(patience);
  CHECK_FALSE(left.ec);
  CHECK(left.data == 0);
  CHECK(from.unacknowledged() == 0);
  CHECK(charged(w, from) == 0);
  for (int i = 0; i < 200; ++i) REQUIRE(!(co_await with_timeout(patience, into.receive())).ec);
}

task<> draining(world& w) {
  socket from = w.near_socket();
  CHECK_FALSE((co_await from.drain(patience)).ec);
  CHECK_FALSE(from.try_send_to("one", to(absent, 5)));
  CHECK_FALSE(from.try_send_to("two", to(absent, 6)));
  auto const left = co_await from.drain(1ms);
  CHECK(left.ec == errc::timed_out);
  CHECK(left.data == 2);
  // Taking everything back ends the waiting too.
  task_group group(w.where);
  group.spawn([](socket& on) -> task<> {
    auto const emptied = co_await on.drain(patience);
    CHECK_FALSE(emptied.ec);
    CHECK(emptied.data == 0);
  }, std::ref(from));
  co_await yield();
  CHECK(from.cancel_sent_to(to(absent, 5)) == 1);
  co_await yield();
  CHECK(group.size() == 1);
  CHECK(from.cancel_sent_to(to(absent, 6)) == 1);
  co_await group.join();
}

}  // namespace

TEST_CASE("a send is accepted while fewer bytes than the send buffer are unacknowledged") { in(over_tcp, accepted_while_below); }
TEST_CASE("whoever waits for room gets it in order of arrival") { in(over_tcp, in_order_of_arrival); }
TEST_CASE("a socket is writable when there is room, and looking takes none") { in(over_tcp, writability); }
TEST_CASE("the number of empty datagrams is bounded, and waiting for it ends") { in(std::array{way::connecting}, very_many_empty); }
TEST_CASE("acknowledgements make room") { in(every_way, freed_by_acknowledgement); }
TEST_CASE("drain waits until nothing is unacknowledged") { in(over_tcp, draining); }
