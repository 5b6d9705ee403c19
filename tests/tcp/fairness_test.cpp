// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a peer that sends without end, or a long queue, keeps the loop in one turn, and timers and other peers wait.
// Forced by: streams in memory that never run dry and never fill up, with what one turn moves counted; and over real TCP an
// attacker on a thread of its own, while a timer must keep expiring.

#include "support/memory_backend.hpp"
#include "support/nodes.hpp"

#include "protocol/header.hpp"

#include <rdsco/detail/stream_operations.hpp>
#include <rdsco/sleep.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <thread>

namespace {

using namespace rdsco;
using namespace rdsco::test;

// A share of 2 MiB, and what one read or one message may add to it.
constexpr std::size_t turn_limit = (2u << 20) + (1u << 20) + (256u << 10);

std::array<std::byte, protocol::header_bytes> ping_bytes() {
  protocol::header ping;
  ping.sequence = 1;
  ping.source_port = 6000;
  std::array<std::byte, protocol::header_bytes> made{};
  protocol::encode(ping, made);
  return made;
}

/// Streams that are never empty, and take everything.
class endless_backend final : public memory_backend {
 public:
  explicit endless_backend(memory_network& network) noexcept : memory_backend(network) {}

  std::ptrdiff_t try_receive(detail::io_handle stream, std::span<mutable_buffer const> into) noexcept override {
    if (!flooding) return memory_backend::try_receive(stream, into);
    std::ptrdiff_t count = 0;
    for (mutable_buffer const part : into)
      for (std::byte& each : part) each = ping_[at_++ % ping_.size()], ++count;
    received += static_cast<std::size_t>(count);
    return count;
  }
  std::ptrdiff_t try_send(detail::io_handle, std::span<const_buffer const> from) noexcept override {
    std::size_t count = 0;
    for (const_buffer const part : from) count += part.size();
    sent += count;
    return static_cast<std::ptrdiff_t>(count);
  }
  /// Only where a frame ends: what comes next begins one.
  [[nodiscard]] bool between_frames() const noexcept { return at_ % ping_.size() == 0; }

  bool flooding = false;
  std::size_t received = 0, sent = 0;

 private:
  std::array<std::byte, protocol::header_bytes> const ping_ = ping_bytes();
  std::size_t at_ = 0;
};

struct endless_world {
  manual_clock clock;
  memory_network network{clock};
  endless_backend* io = nullptr;
  loop where, peer_loop;
  node here;

  explicit endless_world(std::string_view host)
      : where(loop_options(), endless()), peer_loop(loop_options(), memory_seams(network)) {
    node_options options;
    options.own(at(host)).allow(net("10.0.0.0/24"));
    here = test::open(where, options);
  }
  ~endless_world() {
    task_group group(where);
    group.spawn([&]() -> task<> { co_await here.close(); });
    REQUIRE(run([&] { return group.size() == 0; }));
  }
  detail::seams endless() {
    detail::seams made = memory_seams(network);
    auto mine = std::make_unique<endless_backend>(network);
    io = mine.get();
    made.io = std::move(mine);
    return made;
  }
  template <class Done>
  [[nodiscard]] bool run(Done done) {
    std::array<loop*, 2> const both{&where, &peer_loop};
    return run_together(network, both, done);
  }
  detail::io_handle connect(std::string_view from, std::string_view host) {
    detail::io_handle stream;
    REQUIRE(peer_loop.io().open_stream(at(from), {}, stream) == 0);
    task_group group(peer_loop);
    group.spawn([&]() -> task<> {
      endpoint const target(at(host), 16385);
      auto const connected = co_await detail::connect_awaiter(peer_loop, stream, target);
      REQUIRE(!connected.ec);
    });
    REQUIRE(run([&] { return group.size() == 0; }));
    return stream;
  }
};

task<> tick(int* count) {
  for (;;) {
    auto const slept = co_await sleep(1ms);
    if (slept.ec) co_return;
    ++*count;
  }
}

// Turns in each of which a millisecond passes.
void turns_stay_short(endless_world& world, int turns) {
  int ticks = 0;
  std::size_t largest = 0;
  task_group group(world.where);
  group.spawn(tick(&ticks));
  world.where.poll();
  for (int turn = 0; turn < turns; ++turn) {
    world.clock.advance(1ms);
    world.io->received = 0;
    world.where.poll();
    REQUIRE(world.io->received <= turn_limit);
    largest = std::max(largest, world.io->received);
  }
  // One turn finds that the time has come, and the same one or the next runs the coroutine.
  CHECK(ticks >= turns - 1);
  CHECK(largest >= (2u << 20));
  group.stop();
  while (group.size() != 0) world.where.poll();
}

}  // namespace

TEST_CASE("a stream that never runs dry is read for its share of a turn") {
  endless_world world("10.0.0.2");
  auto const stream = world.connect("10.0.0.1", "10.0.0.2");
  world.io->flooding = true;
  turns_stay_short(world, 30);
  world.io->flooding = false;
  world.peer_loop.io().close(stream, false);
}

TEST_CASE("a replaced stream that never runs dry is drained by its share of a turn") {
  endless_world world("10.0.0.2");
  auto const first = world.connect("10.0.0.1", "10.0.0.2");
  world.where.poll();
  auto const second = world.connect("10.0.0.1", "10.0.0.2");
  world.io->flooding = true;
  turns_stay_short(world, 30);
  CHECK(world.here.counters().rdsco_connection_replaced == 1);
  world.io->flooding = false;
  world.peer_loop.io().close(first, false);
  world.peer_loop.io().close(second, false);
}

TEST_CASE("a stream that takes everything is given its share of a turn") {
  endless_world world("10.0.0.1");
  detail::io_handle listener;
  endpoint const service(at("10.0.0.2"), 16385);
  REQUIRE(world.peer_loop.io().listen(service, 4, listener) == 0);
  std::vector<rdsco::socket> sockets;
  auto const payload = pattern(1, 1u << 20);
  for (int i = 0; i < 8; ++i) {
    sockets.push_back(bound(world.here, "10.0.0.1"));
    for (int each = 0; each < 2; ++each) REQUIRE(!sockets.back().try_send_to(payload, to("10.0.0.2", 4000)));
  }
  std::size_t largest = 0;
  for (int turn = 0; turn < 1000 && world.io->sent < (16u << 20); ++turn) {
    std::size_t const before = world.io->sent;
    world.where.poll();
    largest = std::max(largest, world.io->sent - before);
    world.peer_loop.poll();
    world.clock.advance(1ms);
  }
  CHECK(world.io->sent >= (16u << 20));
  CHECK(largest <= turn_limit);
  CHECK(largest >= (2u << 20));
  for (rdsco::socket& each : sockets) {
    each.cancel_sent_to(to("10.0.0.2", 4000));
    each.close();
  }
  world.peer_loop.io().close(listener, false);
}

namespace {

/// Pings over plain TCP, as fast as a thread can.
class flood {
 public:
  flood(std::string_view from, std::string_view host) : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    connect(from, host);
    thread_ = std::jthread([this] { send(); });
  }
  flood(flood const&) = delete;
  flood& operator=(flood const&) = delete;
  ~flood() {
    ::shutdown(descriptor_, SHUT_RDWR);
    thread_.join();
    ::close(descriptor_);
  }

 private:
  static sockaddr_in native(std::string_view host, std::uint16_t port) {
    sockaddr_in made{};
    made.sin_family = AF_INET;
    made.sin_port = htons(port);
    ::inet_pton(AF_INET, std::string(host).c_str(), &made.sin_addr);
    return made;
  }
  void connect(std::string_view from, std::string_view host) {
    auto const mine = native(from, 0), theirs = native(host, tcp_port());
    REQUIRE(::bind(descriptor_, reinterpret_cast<sockaddr const*>(&mine), sizeof mine) == 0);
    REQUIRE(::connect(descriptor_, reinterpret_cast<sockaddr const*>(&theirs), sizeof theirs) == 0);
  }
  void send() const {
    auto const one = ping_bytes();
    std::vector<std::byte> many;
    for (int i = 0; i < 10'000; ++i) many.insert(many.end(), one.begin(), one.end());
    // Always whole frames but for the last: what is cut by the end nobody reads.
    std::size_t at = 0;
    for (;;) {
      ssize_t const count = ::send(descriptor_, many.data() + at, many.size() - at, MSG_NOSIGNAL);
      if (count <= 0) return;
      at = (at + static_cast<std::size_t>(count)) % many.size();
    }
  }

  int descriptor_;
  std::jthread thread_;
};

}  // namespace

TEST_CASE("a timer and another peer go on beside a flood of pings over TCP") {
  loop where;
  node here = test::open(where, on_tcp("127.0.0.5"));
  node other = test::open(where, on_tcp("127.0.0.2"));
  rdsco::socket quiet = bound(here, "127.0.0.5", 5000), source = bound(other, "127.0.0.2", 5000);
  int ticks = 0;
  std::uint64_t arrived = 0;
  task_group group(where);
  group.spawn(tick(&ticks));
  group.spawn([&]() -> task<> {
    for (std::uint64_t index = 0;; ++index) {
      auto const payload = pattern(index, 1000);
      auto const sent = co_await source.send_to(payload, quiet.local());
      if (sent.ec) co_return;
      auto const got = co_await quiet.receive();
      if (got.ec) co_return;
      if (matches(got.data, index, 1000)) ++arrived;
    }
  });
  {
    flood const attack("127.0.0.1", "127.0.0.5");
    // Far more turns than a timer of a millisecond needs; what fails here fails by never ending a turn, or by not being looked at.
    for (int turn = 0; turn < 1'000'000 && (ticks < 200 || arrived < 200); ++turn) where.run_once();
    CHECK(ticks >= 200);
    CHECK(arrived >= 200);
    CHECK(here.counters().recv_ping > 0);
  }
  group.stop();
  while (group.size() != 0) where.run_once();
  quiet.close();
  source.close();
  block_on(where, here.close());
  block_on(where, other.close());
}
