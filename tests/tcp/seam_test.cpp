// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a node or its TCP transport reaches past the seams of its loop, to descriptors, clocks or chance of its own.
// Forced by: two nodes, each on a loop of its own, on sockets in memory, a clock turned by hand and seeded chance: they connect,
// exchange, are reset and connect again, byte by byte where asked, and two runs from one seed leave the same trace.

#include "support/memory_backend.hpp"
#include "support/nodes.hpp"

#include <array>
#include <functional>

namespace {

using namespace rdsco;
using namespace rdsco::test;

class seeded final : public detail::random_source {
 public:
  explicit seeded(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() noexcept override {
    // splitmix64
    std::uint64_t mixed = state_ += 0x9e3779b97f4a7c15;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
    return mixed ^ mixed >> 31;
  }

 private:
  std::uint64_t state_;
};

class trace {
 public:
  void note(std::uint64_t value) {
    for (int byte = 0; byte < 8; ++byte) step(value >> 8 * byte & 255);
  }
  void note(message const& got) {
    note(got.from().port);
    note(got.size());
    std::vector<std::byte> scratch;
    for (std::byte const each : got.contiguous(scratch)) step(std::to_integer<std::uint64_t>(each));
  }
  [[nodiscard]] std::uint64_t hash() const { return hash_; }

 private:
  void step(std::uint64_t byte) { hash_ = (hash_ ^ byte) * 0x100000001b3; }
  std::uint64_t hash_ = 0xcbf29ce484222325;
};

constexpr std::array<std::size_t, 8> sizes{0, 1, 47, 48, 500, 8192, 20'000, 100'000};

struct plan {
  std::uint64_t seed = 1;
  std::size_t piece_bytes_max = ~std::size_t{0};
  std::uint64_t datagrams = 100;  ///< each way
  std::size_t largest = sizes.back();
  unsigned resets = 0;
  /// What else happens, told how many datagrams have arrived.
  std::function<void(memory_network&, std::uint64_t)> fault;
  plan() = default;
};

std::size_t size_of(plan const& what, std::uint64_t index) { return std::min(sizes[index % sizes.size()], what.largest); }

struct world {
  manual_clock clock;
  memory_network network{clock};
  seeded chance, chance_of_first, chance_of_second;
  loop first, second;

  explicit world(std::uint64_t seed)
      : chance(seed), chance_of_first(seed * 3 + 1), chance_of_second(seed * 5 + 2),
        first(loop_options(), on_network(chance_of_first)), second(loop_options(), on_network(chance_of_second)) {}

  detail::seams on_network(seeded& random) {
    auto made = memory_seams(network);
    made.random = &random;
    return made;
  }
  template <class Done>
  [[nodiscard]] bool run(Done done) {
    std::array<loop*, 2> const both{&first, &second};
    return run_together(network, both, done);
  }
  void close(loop& where, node& closing) {
    task_group group(where);
    group.spawn([&]() -> task<> { co_await closing.close(); });
    REQUIRE(run([&] { return group.size() == 0; }));
  }
};

node_options in_memory(std::string_view host) {
  node_options made;
  made.own(at(host)).allow(net("10.0.0.0/24"));
  return made;
}

task<> send_all(socket& from, endpoint port, plan const& what, std::uint64_t& failed) {
  for (std::uint64_t index = 0; index < what.datagrams; ++index) {
    auto const payload = pattern(index, size_of(what, index));
    auto const sent = co_await from.send_to(payload, port);
    if (sent.ec) ++failed;
  }
}

struct receipt {
  std::uint64_t count = 0, wrong = 0;
};

task<> receive_all(socket& into, plan const& what, receipt& got, trace& notes) {
  while (got.count < what.datagrams) {
    auto const one = co_await into.receive();
    if (one.ec) co_return;
    if (!matches(one.data, got.count, size_of(what, got.count))) ++got.wrong;
    notes.note(one.data);
    ++got.count;
  }
}

/// Runs the plan and checks that everything arrives once and in order. The trace of all that was delivered and counted.
std::uint64_t carry_out(plan const& what) {
  world here(what.seed);
  here.network.piece_bytes_max = what.piece_bytes_max;
  here.network.buffer_bytes = 8192;
  node first = test::open(here.first, in_memory("10.0.0.1"));
  node second = test::open(here.second, in_memory("10.0.0.2"));
  socket left = bound(first, "10.0.0.1", 4000), right = bound(second, "10.0.0.2", 5000);
  trace notes;
  receipt got_left, got_right;
  std::uint64_t failed = 0;
  task_group on_first(here.first), on_second(here.second);
  on_first.spawn(send_all(left, right.local(), what, failed));
  on_first.spawn(receive_all(left, what, got_left, notes));
  on_second.spawn(send_all(right, left.local(), what, failed));
  on_second.spawn(receive_all(right, what, got_right, notes));

  unsigned resets = 0;
  std::uint64_t until_reset = here.chance.next() % 30;
  bool const finished = here.run([&] {
    if (what.fault) what.fault(here.network, got_left.count + got_right.count);
    if (resets < what.resets && here.network.streams_alive() != 0 && until_reset-- == 0) {
      here.network.reset_streams(at("10.0.0.1"), at("10.0.0.2"));
      ++resets;
      until_reset = 1 + here.chance.next() % 30;
    }
    return on_first.size() + on_second.size() == 0 && left.unacknowledged() + right.unacknowledged() == 0;
  });
  REQUIRE(finished);
  REQUIRE(failed == 0);
  REQUIRE(got_left.count == what.datagrams);
  REQUIRE(got_right.count == what.datagrams);
  REQUIRE(got_left.wrong + got_right.wrong == 0);
  REQUIRE(left.try_receive().ec == errc::would_block);
  REQUIRE(right.try_receive().ec == errc::would_block);
  REQUIRE(resets == what.resets);
  if (what.resets != 0) REQUIRE(first.counters().conn_reset >= what.resets / 2);

  for (node const* each : {&first, &second}) each->counters().for_each([&](char const*, std::uint64_t value) { notes.note(value); });
  notes.note(static_cast<std::uint64_t>(here.clock.now().time_since_epoch().count()));
  left.close();
  right.close();
  here.close(here.first, first);
  here.close(here.second, second);
  REQUIRE(first.memory_in_use() == 0);
  REQUIRE(second.memory_in_use() == 0);
  return notes.hash();
}

plan with_seed(std::uint64_t seed, unsigned resets) {
  plan made;
  made.seed = seed;
  made.resets = resets;
  return made;
}

}  // namespace

TEST_CASE("two nodes connect and exchange datagrams of all sizes over memory") {
  static_cast<void>(carry_out(with_seed(1, 0)));
}

TEST_CASE("resets in the middle of transfers: they connect again, and everything arrives once and in order") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    static_cast<void>(carry_out(with_seed(seed, 10)));
  }
}

TEST_CASE("the same seed leaves the same trace, another seed another one") {
  auto const once = carry_out(with_seed(7, 10));
  REQUIRE(once == carry_out(with_seed(7, 10)));
  REQUIRE(once != carry_out(with_seed(8, 10)));
}

TEST_CASE("reads and writes may be cut anywhere") {
  for (std::size_t const piece : {1u, 2u, 3u, 47u, 48u, 49u, 1000u}) {
    INFO("pieces of " << piece);
    plan what = with_seed(piece, 3);
    what.piece_bytes_max = piece;
    what.datagrams = 24;
    what.largest = piece < 10 ? 500 : 20'000;
    static_cast<void>(carry_out(what));
  }
}

TEST_CASE("a network that is silent for a while, with the streams reset meanwhile, loses nothing") {
  plan what = with_seed(3, 0);
  int phase = 0;
  what.fault = [&](memory_network& network, std::uint64_t arrived) {
    auto const one = at("10.0.0.1"), other = at("10.0.0.2");
    if (phase == 0 && arrived >= 30) {
      network.silence(one, other, true);
      network.reset_streams(one, other);
      phase = 1;
    } else if (phase >= 1 && phase < 1000 && ++phase == 1000) {
      network.silence(one, other, false);
    }
  };
  static_cast<void>(carry_out(what));
  REQUIRE(phase == 1000);
}

TEST_CASE("an hour in which nobody listens passes in no time, and then they connect") {
  world here(1);
  node first = test::open(here.first, in_memory("10.0.0.1"));
  socket from = bound(first, "10.0.0.1", 4000);
  auto const start = here.clock.now();
  REQUIRE(!from.try_send_to(pattern(0, 100), to("10.0.0.2", 5000)));
  REQUIRE(here.run([&] { return here.clock.now() - start > 1h; }));
  REQUIRE(first.counters().rdsco_connect_failed > 3600);
  REQUIRE(first.counters().rdsco_connect_failed < 3 * 3600);
  node second = test::open(here.second, in_memory("10.0.0.2"));
  socket into = bound(second, "10.0.0.2", 5000);
  REQUIRE(here.run([&] { return from.unacknowledged() == 0; }));
  REQUIRE(matches(into.try_receive().data, 0, 100));
  REQUIRE(here.clock.now() - start < 1h + 5s);
  from.close();
  into.close();
  here.close(here.first, first);
  here.close(here.second, second);
}
