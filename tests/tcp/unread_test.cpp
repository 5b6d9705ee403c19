// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: bytes that TCP acknowledged for us thrown away with their socket (a kernel never sends them again), or reading
// stopped and never begun again. Forced by: a kernel that ends or replaces its connection while everything is still unread.
//
// Echo without deadlock: each node holds at most its receive buffer before it calls its port congested, and four times that plus
// unread_bytes_per_peer before it stops reading. An echo never has more datagrams in flight than were sent first, so as long as
// these fit one receive buffer, no port is congested when all of them lie on one side, and no send waits for a reader. More than
// that is beyond what any RDS can hold: two readers that both wait for each other's port before they read wait for ever, over
// kernels as well.
//
// And over the hard cap: what is not read holds acknowledgements back, so a reader gets on there if its answers need none, or if
// it does not wait for one for ever (docs/architecture.md, the mutual wait).

#include "support/rig.hpp"

#include <rdsco/sleep.hpp>

#include <algorithm>
#include <deque>
#include <memory>
#include <random>

namespace {

using namespace rdsco;
using namespace rdsco::test;

constexpr std::size_t payload_bytes = 1000;

struct from_a_kernel : rig {
  explicit from_a_kernel(node_options options = on_tcp("127.0.0.2"), socket_options const& buffers = {})
      : peer(at("127.0.0.1"), at("127.0.0.2"), options.tcp.port) {
    here = test::open(where, options);
    into = bound(here, "127.0.0.2", 4000, buffers);
  }
  ~from_a_kernel() {
    into.close();
    remove(peer);
    close(here);
  }

  /// The kernel writes all of it while the node does nothing: it lies unread in the node's TCP.
  void write_ahead(std::uint64_t first, std::uint64_t count, std::uint8_t flags = 0) {
    for (std::uint64_t index = first; index < first + count; ++index) peer.send(5000, 4000, pattern(index, payload_bytes), flags);
    while (peer.last()->unsent() != 0) peer.pump();
  }

  node here;
  socket into;
  kernel_peer peer;
};

// With both buffers a node is reading no more after some 60 kB.
node_options tight() {
  node_options made = on_tcp("127.0.0.2");
  made.limits.unread_bytes_per_peer = 20'000;
  made.tcp.pong_patience = 1h;  // no timer makes the node look again
  return made;
}
socket_options small() {
  socket_options made;
  made.receive_buffer = 10'000;
  return made;
}

class any_order final : public detail::ready_policy {
 public:
  std::size_t choose(std::size_t ready_count) noexcept override { return random_() % ready_count; }

 private:
  std::minstd_rand random_{1};
};

}  // namespace

TEST_CASE("a hundred datagrams and an end of stream right behind them: all arrive") {
  from_a_kernel world;
  world.peer.connect();
  world.write_ahead(0, 100);
  world.peer.last()->finish();
  world.peer.pump();
  in_order got(payload_bytes);
  REQUIRE(world.until([&] { return got.take_from(world.into) == 100; }));
  REQUIRE(got.wrong() == 0);
}

TEST_CASE("a hundred datagrams and a reset right behind them: all arrive") {
  from_a_kernel world;
  world.peer.connect();
  world.write_ahead(0, 100);
  world.peer.last()->reset();
  in_order got(payload_bytes);
  REQUIRE(world.until([&] { return got.take_from(world.into) == 100; }));
  REQUIRE(got.wrong() == 0);
}

TEST_CASE("a replacement comes while the old connection still holds unread bytes: all arrive, none twice") {
  from_a_kernel world;
  world.peer.connect();
  world.write_ahead(0, 20);
  in_order got(payload_bytes);
  world.add(world.peer);
  REQUIRE(world.until([&] { return got.take_from(world.into) == 20; }));
  world.remove(world.peer);
  // The node sleeps; the kernel writes on, gives the connection up for dead, and sends what it believes undelivered again.
  world.write_ahead(20, 30);
  world.peer.next_sent -= 10;
  world.peer.connect();
  world.write_ahead(40, 10, protocol::flag::retransmitted);
  world.write_ahead(50, 50);
  REQUIRE(world.until([&] { return got.take_from(world.into) >= 100; }));
  REQUIRE(got.wrong() == 0);
  REQUIRE(got.count() == 100);
  REQUIRE(world.here.counters().recv_drop_old_seq == 10);
  REQUIRE(world.here.counters().rdsco_connection_replaced == 1);
}

TEST_CASE("one peer replaces its connection again and again while others send: what each sent arrives") {
  constexpr std::uint64_t rounds = 300, each = 5;
  // Whatever is ready may run first: a reader that has just looked and one that is about to close share memory to read into.
  any_order order;
  rig world(time_of::system, &order);
  node_options options = on_tcp("127.0.0.9");
  node here = test::open(world.where, options);
  std::vector<std::unique_ptr<kernel_peer>> peers;
  std::vector<socket> sockets;
  std::vector<in_order> got;
  for (std::uint8_t last = 1; last <= 3; ++last) {
    peers.push_back(std::make_unique<kernel_peer>(address::v4(127, 0, 0, last), at("127.0.0.9"), options.tcp.port));
    peers.back()->habits.answers_pings = false;
    peers.back()->connect();
    sockets.push_back(bound(here, "127.0.0.9", static_cast<std::uint16_t>(4000 + last)));
    got.emplace_back(payload_bytes);
  }
  auto const send = [&](std::size_t which, std::uint64_t index) {
    peers[which]->send(5000, static_cast<std::uint16_t>(4001 + which), pattern(index, payload_bytes));
    while (peers[which]->last()->unsent() != 0) peers[which]->pump();
  };
  for (std::uint64_t round = 0; round < rounds; ++round) {
    // With its bytes unread, the first one connects anew; the others send all the time.
    for (std::uint64_t index = 0; index < each; ++index) send(0, round * each + index);
    if (round + 1 < rounds) peers[0]->connect();
    for (std::uint64_t index = 0; index < each; ++index) {
      for (int turn = 0; turn < 8; ++turn) {
        // A loop that always has work looks for bytes by asking.
        world.where.post([] {});
        static_cast<void>(world.where.run_once());
        if (turn < 2) send(static_cast<std::size_t>(1 + turn), round * each + index);
      }
    }
  }
  REQUIRE(world.until([&] {
    std::size_t total = 0;
    for (std::size_t which = 0; which < 3; ++which) total += got[which].take_from(sockets[which]);
    return total >= 3 * rounds * each;
  }));
  for (in_order const& one : got) {
    REQUIRE(one.wrong() == 0);
    REQUIRE(one.count() == rounds * each);
  }
  sockets.clear();
  world.close(here);
}

TEST_CASE("replaced while reading is stopped: nothing is lost and nothing is taken beyond the bounds") {
  constexpr std::uint64_t lives = 10, each = 80;
  node_options options = tight();
  options.limits.accepted_waiting = lives;
  from_a_kernel world(options, small());
  world.peer.habits.answers_pings = false;  // a pong on a connection that it gave up would take a number
  std::size_t largest = 0;
  for (std::uint64_t life = 0; life < lives; ++life) {
    world.peer.connect();
    // So much fits the node's TCP, so that the kernel takes it for delivered.
    world.write_ahead(life * each, each);
    while (world.where.poll() != 0) largest = std::max(largest, world.here.memory_in_use());
    largest = std::max(largest, world.here.memory_in_use());
  }
  // 60 kB, what one read brings beyond, and the node's own buffers; all there is are 800 kB.
  REQUIRE(largest < 300'000);
  REQUIRE(world.here.counters().rdsco_reading_stopped > 0);
  world.add(world.peer);
  in_order got(payload_bytes);
  REQUIRE(world.until([&] { return got.take_from(world.into) >= lives * each; }));
  REQUIRE(got.wrong() == 0);
  REQUIRE(got.count() == lives * each);
}

TEST_CASE("connections that carried nothing make room for later ones, while the one before is not read") {
  constexpr std::uint64_t count = 80, empty = 20;
  from_a_kernel world(tight(), small());
  world.peer.habits.answers_pings = false;
  world.peer.habits.announces_map = false;
  world.peer.habits.probes = false;
  world.peer.connect();
  world.write_ahead(0, count);
  while (world.where.poll() != 0) continue;
  REQUIRE(world.here.counters().rdsco_reading_stopped > 0);
  for (std::uint64_t life = 0; life < empty; ++life) {
    world.peer.connect().finish();
    REQUIRE(world.until([&] { return world.peer.streams.back()->unsent() == 0; }));
    while (world.where.poll() != 0) continue;
  }
  world.peer.connect();
  world.write_ahead(count, count);
  REQUIRE(world.here.counters().rdsco_accept_refused_limit == 0);
  world.add(world.peer);
  in_order got(payload_bytes);
  REQUIRE(world.until([&] { return got.take_from(world.into) >= 2 * count; }));
  REQUIRE(got.wrong() == 0);
  REQUIRE(world.here.counters().rdsco_accept_refused_limit == 0);
}

TEST_CASE("over its hard cap a peer is not read, and nothing is lost when it is read again") {
  from_a_kernel world(tight(), small());
  world.add(world.peer);
  world.peer.connect();
  // Nothing is under way that would make the node look again by itself.
  REQUIRE(world.until([&] {
    auto const known = world.here.tables().connections;
    return !known.empty() && known[0].acknowledged_by == "pongs";
  }));
  constexpr std::uint64_t count = 20'000;
  for (std::uint64_t index = 0; index < count; ++index) world.peer.send(5000, 4000, pattern(index, payload_bytes));
  REQUIRE(world.until([&] { return world.here.counters().rdsco_reading_stopped == 1; }));
  // Its TCP fills up; however often the node looks, it takes no more.
  for (int turn = 0; turn < 1000; ++turn) world.turn();
  REQUIRE(world.peer.last()->unsent() > 0);
  REQUIRE(world.here.memory_in_use() < 1'000'000);
  // Seven are left: few enough to read on, too many to call the port free, so that nothing else makes the node look.
  auto const queued = world.here.counters().recv_queued;
  for (std::uint64_t index = 0; index < queued - 7; ++index) REQUIRE(matches(world.into.try_receive().data, index, payload_bytes));
  REQUIRE(world.until([&] { return world.here.counters().recv_queued > queued; }));
  in_order got(payload_bytes, queued - 7);
  REQUIRE(world.until([&] { return got.take_from(world.into) >= count; }));
  REQUIRE(got.wrong() == 0);
  REQUIRE(world.here.counters().rdsco_reading_stopped > 1);
}

TEST_CASE("empty datagrams count against a peer as well: their number is bounded") {
  from_a_kernel world(tight(), small());
  world.add(world.peer);
  world.peer.connect();
  constexpr std::uint64_t count = 100'000;
  for (std::uint64_t index = 0; index < count; ++index) world.peer.send(5000, 4000, {});
  REQUIRE(world.until([&] { return world.here.counters().rdsco_reading_stopped > 0; }));
  REQUIRE(world.here.counters().recv_queued < 70'000);
  std::size_t got = 0;
  REQUIRE(world.until([&] { return (got += take_all(world.into).size()) >= count; }));
  REQUIRE(got == count);
}

namespace {

task<> echo(socket& sock, std::size_t& count, std::size_t enough) {
  while (count < enough) {
    auto got = co_await sock.receive();
    if (got.ec) co_return;
    ++count;
    auto const sent = co_await sock.send_to(got.data.payload(), got.data.from());
    if (sent.ec) co_return;
  }
}

}  // namespace

TEST_CASE("two echo nodes with small buffers and many datagrams between them do not wait for each other for ever") {
  loop where;
  node_options one = on_tcp("127.0.0.1"), other = on_tcp("127.0.0.2");
  one.limits.unread_bytes_per_peer = other.limits.unread_bytes_per_peer = 1000;
  one.tcp.send_buffer = other.tcp.send_buffer = 4096;
  one.tcp.receive_buffer = other.tcp.receive_buffer = 4096;
  node first = test::open(where, one), second = test::open(where, other);
  socket_options buffers;
  buffers.receive_buffer = 32'000;
  buffers.send_buffer = 2'000;
  socket left = bound(first, "127.0.0.1", 4000, buffers), right = bound(second, "127.0.0.2", 5000, buffers);
  auto const run = [&]() -> task<result<>> {
    std::size_t count_left = 0, count_right = 0;
    task_group group(where);
    group.spawn(echo(left, count_left, 5000));
    group.spawn(echo(right, count_right, 5000));
    for (std::uint64_t index = 0; index < 30; ++index) {
      auto const payload = pattern(index, payload_bytes);
      auto const sent = co_await left.send_to(payload, right.local());
      REQUIRE(!sent.ec);
    }
    result<> slept;
    while (count_left < 5000 && !slept.ec) slept = co_await sleep(1ms);
    group.stop();
    co_await group.join();
    REQUIRE(count_right + 30 >= count_left);
    co_return slept;
  };
  auto const ended = block_on(where, with_timeout(patience, run()));
  REQUIRE(!ended.ec);
  left.close();
  right.close();
  block_on(where, first.close());
  block_on(where, second.close());
}

namespace {

constexpr std::size_t clients_each = 10, asked_each = 100;
constexpr std::size_t asked = clients_each * asked_each;

/// A node with an echo that holds little unread, and clients that together have ten times as much on the way to the other one.
struct crowd {
  crowd(loop& where, std::string_view host, std::size_t echo_send_buffer) {
    node_options told = on_tcp(host);
    told.limits.unread_bytes_per_peer = 1000;
    on = test::open(where, told);
    socket_options small;
    small.receive_buffer = 1000;
    small.send_buffer = echo_send_buffer;
    echo = bound(on, host, 4000, small);
    socket_options greedy;
    greedy.send_buffer = 4000;
    for (std::size_t index = 0; index < clients_each; ++index) clients.push_back(bound(on, host, 0, greedy));
  }

  node on;
  socket echo;
  std::vector<socket> clients;
};

task<> ask(socket& from, endpoint whom) {
  for (std::uint64_t index = 0; index < asked_each; ++index) {
    auto const payload = pattern(index, payload_bytes);
    auto const sent = co_await with_timeout(patience, from.send_to(payload, whom));
    CHECK(!sent.ec);
    if (sent.ec) co_return;
  }
}

task<> take_answers(socket& into) {
  for (std::uint64_t index = 0; index < asked_each; ++index) {
    auto const got = co_await with_timeout(patience, into.receive());
    CHECK(!got.ec);
    if (got.ec) co_return;
    CHECK(matches(got.data, index, payload_bytes));
  }
}

task<> answer_one_by_one(socket& sock) {
  for (std::size_t count = 0; count < asked; ++count) {
    auto const got = co_await with_timeout(patience, sock.receive());
    if (got.ec) co_return;
    auto const sent = co_await with_timeout(patience, sock.send_to(got.data.payload(), got.data.from()));
    if (sent.ec) co_return;
  }
}

/// Waits for room no longer than a moment: what finds none is kept, and more is read.
task<> answer_or_read_on(socket& sock) {
  struct answer {
    endpoint whom;
    std::vector<std::byte> payload;
  };
  std::deque<answer> kept;
  for (std::size_t count = 0; count < asked || !kept.empty();) {
    auto const got = co_await with_timeout(1ms, sock.receive());
    if (!got.ec) {
      std::vector<std::byte> scratch;
      auto const bytes = got.data.contiguous(scratch);
      kept.push_back({got.data.from(), std::vector<std::byte>(bytes.begin(), bytes.end())});
      ++count;
    }
    bool room = true;
    while (room && !kept.empty()) {
      auto const sent = co_await with_timeout(1ms, sock.send_to(kept.front().payload, kept.front().whom));
      room = !sent.ec;
      if (room) kept.pop_front();
    }
  }
}

template <class Echo>
void crowds_answer_each_other(std::size_t echo_send_buffer, Echo echo_of) {
  loop where;
  crowd first(where, "127.0.0.1", echo_send_buffer), second(where, "127.0.0.2", echo_send_buffer);
  block_on(where, [](loop& l, crowd& one, crowd& other, Echo echo) -> task<> {
    task_group group(l);
    for (crowd* const each : {&one, &other}) {
      group.spawn(echo(each->echo));
      endpoint const whom = each == &one ? other.echo.local() : one.echo.local();
      for (socket& client : each->clients) {
        group.spawn(ask(client, whom));
        group.spawn(take_answers(client));
      }
    }
    co_await group.join();
  }(where, first, second, echo_of));
  for (crowd* const each : {&first, &second}) {
    CHECK(each->on.counters().rdsco_reading_stopped > 0);
    CHECK(each->on.counters().recv_delivered == 2 * asked);
  }
  for (crowd* const each : {&first, &second}) {
    each->echo.close();
    each->clients.clear();
    block_on(where, each->on.close());
  }
}

}  // namespace

TEST_CASE("two echo nodes over their hard caps, neither read by the other for a while, answer everything") {
  // Room for the answers to whatever may lie unread: while it is answered no acknowledgement needs to come.
  crowds_answer_each_other(2 * asked * payload_bytes, &answer_one_by_one);
}

TEST_CASE("two echo nodes over their hard caps that have room for few answers get on if they wait for room with a timeout") {
  crowds_answer_each_other(2 * payload_bytes, &answer_or_read_on);
}
