// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a peer on the allow-list, or one that is not, makes the node grow without bound, stop, or neglect others.
// Forced by: a scripted attacker that floods, lies and stalls, while two other hosts exchange datagrams in every turn of the attack
// and the turns in which they did not get on are counted.

#include "support/rig.hpp"

#include "protocol/multipath.hpp"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <random>

namespace {

using namespace rdsco;
using namespace rdsco::test;
using protocol::header;

constexpr std::string_view host = "127.0.0.5", friendly = "127.0.0.2", hostile = "127.0.0.1", stranger = "127.1.0.1";

node_options guarded() {
  node_options made;
  made.own(at(host)).allow(net("127.0.0.0/24"));
  made.tcp.port = tcp_port();
  made.limits.partial_message = 30s;
  return made;
}

header data(std::uint64_t number, std::uint32_t length = 0, std::uint16_t port = 4000) {
  header made;
  made.sequence = number;
  made.length = length;
  made.source_port = 6000;
  made.destination_port = port;
  return made;
}

header ping(std::uint64_t number) {
  header made = data(number);
  made.destination_port = 0;
  return made;
}

header node_probe(std::uint64_t number, std::uint32_t generation) {
  protocol::node_extension self;
  self.features = protocol::node_feature::ack_frames;
  self.generation = generation;
  header made = protocol::make_probe(self);
  made.sequence = number;
  return made;
}

/// Two other hosts that exchange datagrams as if nothing were the matter: a step of theirs in each turn of the attack.
class bystanders {
 public:
  bystanders(socket& source, socket& quiet) : source_(source), quiet_(quiet) {}

  void step() {
    std::size_t const before = back_.count();
    if (sent_ - before < window && !source_.try_send_to(pattern(sent_, bytes), quiet_.local())) ++sent_;
    static_cast<void>(got_.take_from(quiet_));
    if (answered_ < got_.count() && !quiet_.try_send_to(pattern(answered_, bytes), source_.local())) ++answered_;
    static_cast<void>(back_.take_from(source_));
    stalled_ = back_.count() == before ? stalled_ + 1 : 0;
    longest_stall_ = std::max(longest_stall_, stalled_);
  }
  /// Starts none anew; answers what is under way.
  bool settle() {
    static_cast<void>(got_.take_from(quiet_));
    if (answered_ < got_.count() && !quiet_.try_send_to(pattern(answered_, bytes), source_.local())) ++answered_;
    stalled_ = 0;
    return back_.take_from(source_) == sent_ && source_.unacknowledged() + quiet_.unacknowledged() == 0;
  }
  [[nodiscard]] std::size_t exchanged() const { return back_.count(); }
  [[nodiscard]] std::size_t wrong() const { return got_.wrong() + back_.wrong(); }
  [[nodiscard]] std::size_t longest_stall() const { return longest_stall_; }  ///< turns in which nothing came back

 private:
  static constexpr std::size_t bytes = 1000, window = 4;

  socket& source_;
  socket& quiet_;
  in_order got_{bytes}, back_{bytes};
  std::size_t sent_ = 0, answered_ = 0;
  std::size_t stalled_ = 0, longest_stall_ = 0;
};

// An exchange takes a handful of turns; the rest is for a kernel that delivers late.
constexpr std::size_t stall_at_most = 200;

struct under_attack : rig {
  explicit under_attack(node_options const& options = guarded(), time_of which = time_of::system)
      : rig(which), attacker(at(hostile), at(host), options.tcp.port) {
    here = test::open(where, options);
    other = test::open(where, on_tcp(friendly));
    target = bound(here, host, 4000);
    quiet = bound(here, host, 5000);
    source = bound(other, friendly, 5000);
    add(attacker);
    others_went_on();
    settle();
    baseline = here.memory_in_use();
  }
  ~under_attack() {
    for (socket* each : {&target, &quiet, &source}) each->close();
    close(other);
    close(here);
  }

  // Whatever is waited for in an attack, the others go on.
  void turn() {
    rig::turn();
    others.step();
  }
  template <class Done>
  [[nodiscard]] bool until(Done done) {
    return rig::until([&] {
      others.step();
      return done();
    });
  }
  /// An attack that lasts, in so many turns: more of it in each, and in the midst of it the others get on.
  template <class More>
  void flood(std::uint64_t turns, More more) {
    auto const before = others.exchanged();
    std::uint64_t turned = 0;
    REQUIRE(until([&] { return more(turned), ++turned == turns; }));
    REQUIRE(others.exchanged() > before);
  }
  /// They got on while the attack lasted, and do now.
  void others_went_on() {
    auto const before = others.exchanged();
    REQUIRE(until([&] { return others.exchanged() >= before + 20; }));
    REQUIRE(others.wrong() == 0);
    INFO("of " << others.exchanged() << " exchanges");
    REQUIRE(others.longest_stall() <= stall_at_most);
  }
  void settle() { REQUIRE(rig::until([&] { return others.settle(); })); }
  /// The node still understands this stream, from its last frame on, and delivers.
  void still_delivers(scripted_stream& stream, std::uint64_t number) {
    static_cast<void>(take_all(target));
    stream.put(data(number), pattern(1, 10));
    std::vector<message> got;
    REQUIRE(until([&] { return !(got = take_all(target)).empty(); }));
    REQUIRE(got.size() == 1);
    REQUIRE(matches(got[0], 1, 10));
  }
  void gives_everything_back() {
    for (auto& each : attacker.streams) each->close();
    static_cast<void>(take_all(target));
    others_went_on();
    settle();
    REQUIRE(rig::until([&] { return here.memory_in_use() <= baseline; }));
  }
  [[nodiscard]] rdsco::counters const& counted() const { return here.counters(); }

  scripted_peer attacker;
  node here, other;
  socket target, quiet, source;
  bystanders others{source, quiet};
  std::size_t baseline = 0;
};

std::size_t descriptors_open() {
  auto const all = std::filesystem::directory_iterator("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

}  // namespace

TEST_CASE("garbage ends its connection and nothing else") {
  under_attack world;
  std::minstd_rand random(1);
  for (int round = 0; round < 20; ++round) {
    std::vector<std::byte> garbage(64 * 1024);
    for (std::byte& each : garbage) each = static_cast<std::byte>(random());
    scripted_stream& stream = world.attacker.connect();
    stream.put(garbage);
    REQUIRE(world.until([&] { return stream.ended(); }));
  }
  REQUIRE(world.counted().rdsco_drop_too_large == 20);
  REQUIRE(world.counted().rdsco_drop_bad_frame == 20);
  world.gives_everything_back();
}

TEST_CASE("a length beyond the limit is refused before a byte of it is kept") {
  under_attack world;
  for (std::uint32_t const length : {0xffffffffu, protocol::max_message_bytes + 1}) {
    scripted_stream& stream = world.attacker.connect();
    stream.put(data(1, length));
    REQUIRE(world.until([&] { return stream.ended(); }));
    REQUIRE(stream.was_reset());
  }
  REQUIRE(world.counted().rdsco_drop_too_large == 2);
  world.gives_everything_back();
}

TEST_CASE("a node with a small message limit still takes the peer's congestion map") {
  node_options options = guarded();
  options.limits.message_bytes = 4096;
  under_attack world(options);
  header map;
  map.flags = protocol::flag::congestion_bitmap;
  scripted_stream& stream = world.attacker.connect();
  stream.put(map, std::vector<std::byte>(8192));
  world.still_delivers(stream, 1);
  REQUIRE(world.counted().conn_reset == 0);
  stream.put(data(2, 4097));
  REQUIRE(world.until([&] { return stream.ended(); }));
}

TEST_CASE("a message that comes a byte a second is waited for no longer than the limit") {
  under_attack world(guarded(), time_of::test);
  for (std::size_t const offset : {std::size_t{0}, protocol::header_bytes}) {
    scripted_stream& stream = world.attacker.connect();
    auto const whole = bytes_of(data(1, 10'000), pattern(1, 10'000));
    stream.put(std::span(whole).first(offset));
    std::size_t sent = offset;
    for (; sent < offset + 60 && !stream.ended(); ++sent) {
      stream.put(std::span(whole).subspan(sent, 1));
      for (int turn = 0; turn < 10; ++turn) world.turn();
      world.clock.advance(1s);
    }
    REQUIRE(stream.ended());
    REQUIRE(sent > offset + 25);
  }
  REQUIRE(world.counted().rdsco_drop_partial_timeout == 2);
  world.gives_everything_back();
}

TEST_CASE("a flood of congestion maps costs no memory") {
  under_attack world;
  scripted_stream& stream = world.attacker.connect();
  header map;
  map.flags = protocol::flag::congestion_bitmap;
  std::size_t largest = 0;
  auto const before = world.counted().cong_update_received;
  world.flood(100, [&](std::uint64_t) {
    for (int round = 0; round < 20; ++round) stream.put(map, std::vector<std::byte>(8192, static_cast<std::byte>(round % 2 * 255)));
    largest = std::max(largest, world.here.memory_in_use());
  });
  REQUIRE(world.until([&] {
    largest = std::max(largest, world.here.memory_in_use());
    return world.counted().cong_update_received >= before + 2000;
  }));
  REQUIRE(largest < world.baseline + 1'000'000);
  world.gives_everything_back();
}

TEST_CASE("maps of a wrong length, and maps with other flags, are skipped and move no number") {
  under_attack world;
  scripted_stream& stream = world.attacker.connect();
  header map;
  map.flags = protocol::flag::congestion_bitmap;
  stream.put(map);
  for (std::size_t const length : {1u, 8191u, 8193u, 1u << 20}) stream.put(map, std::vector<std::byte>(length, std::byte{255}));
  map.flags |= protocol::flag::ack_required;
  map.sequence = 1000;
  stream.put(map, std::vector<std::byte>(8192, std::byte{255}));
  world.still_delivers(stream, 1);
  REQUIRE(world.counted().rdsco_drop_bad_map == 5);
  REQUIRE(world.counted().rdsco_drop_ignored == 1);
  REQUIRE(!world.target.try_send_to(pattern(0, 1), to(hostile, 6000)));
  world.target.cancel_sent_to(to(hostile, 6000));
  world.gives_everything_back();
}

TEST_CASE("frames from port 0 to port 0 are skipped with their payload and move no number") {
  under_attack world;
  scripted_stream& stream = world.attacker.connect();
  header nothing;
  nothing.sequence = 1000;
  nothing.ack = ~std::uint64_t{0};
  stream.put(nothing, pattern(0, 5000));
  stream.put(nothing);
  world.still_delivers(stream, 1);
  REQUIRE(world.counted().rdsco_drop_ignored == 2);
  world.gives_everything_back();
}

TEST_CASE("checksums, padding, unknown flags and extensions of a datagram are not looked at") {
  under_attack world;
  scripted_stream& stream = world.attacker.connect();
  header odd = data(1, 10);
  odd.checksum = 0xbad;
  odd.credit = 255;
  odd.ack = 12345;
  odd.flags = 0xf8;
  odd.extensions.fill(std::byte{0x0f});
  auto bytes = bytes_of(odd, pattern(1, 10));
  std::fill(bytes.begin() + 26, bytes.begin() + 30, std::byte{0xff});
  stream.put(bytes);
  std::vector<message> got;
  REQUIRE(world.until([&] { return !(got = take_all(world.target)).empty(); }));
  REQUIRE(matches(got[0], 1, 10));
  got.clear();
  world.gives_everything_back();
}

TEST_CASE("a flood of pings from a peer that does not read is answered up to a bound") {
  under_attack world;
  world.attacker.receive_buffer = 4096;
  scripted_stream& stream = world.attacker.connect();
  stream.read_limit = 0;
  constexpr std::uint64_t count = 100'000;
  std::size_t largest = 0;
  world.flood(100, [&](std::uint64_t turn) {
    for (std::uint64_t number = turn * 1000; number < (turn + 1) * 1000; ++number) stream.put(ping(number + 1));
    largest = std::max(largest, world.here.memory_in_use());
  });
  REQUIRE(world.until([&] {
    largest = std::max(largest, world.here.memory_in_use());
    return world.counted().recv_ping >= count;
  }));
  REQUIRE(world.counted().rdsco_drop_pong_limit > 0);
  REQUIRE(largest < world.baseline + 1'000'000);
  world.others_went_on();
  REQUIRE(world.counted().send_pong < 5000);
}

TEST_CASE("a flood of probes likewise") {
  under_attack world;
  world.attacker.receive_buffer = 4096;
  scripted_stream& stream = world.attacker.connect();
  stream.read_limit = 0;
  constexpr std::uint64_t count = 100'000;
  std::size_t largest = 0;
  world.flood(100, [&](std::uint64_t turn) {
    for (std::uint64_t number = turn * 1000 + 1; number <= (turn + 1) * 1000; ++number)
      stream.put(node_probe(number, static_cast<std::uint32_t>(number)));
    largest = std::max(largest, world.here.memory_in_use());
  });
  REQUIRE(world.until([&] {
    largest = std::max(largest, world.here.memory_in_use());
    return world.counted().recv_ping >= count;
  }));
  REQUIRE(world.counted().rdsco_drop_pong_limit > 0);
  REQUIRE(largest < world.baseline + 1'000'000);
  // One change of its generation is believed in a connection.
  REQUIRE(world.counted().rdsco_peer_restarted <= 1);
  world.others_went_on();
}

TEST_CASE("a flood of pings from a node that reads the answers and acknowledges none likewise") {
  under_attack world;
  scripted_stream& stream = world.attacker.connect();
  stream.put(node_probe(1, 7));
  constexpr std::uint64_t count = 100'000;
  std::size_t largest = 0;
  world.flood(100, [&](std::uint64_t turn) {
    for (std::uint64_t number = turn * 1000; number < (turn + 1) * 1000; ++number) stream.put(ping(number + 2));
    largest = std::max(largest, world.here.memory_in_use());
  });
  REQUIRE(world.until([&] {
    largest = std::max(largest, world.here.memory_in_use());
    return world.counted().recv_ping >= count;
  }));
  REQUIRE(world.counted().rdsco_drop_pong_limit > 0);
  REQUIRE(largest < world.baseline + 1'000'000);
  world.others_went_on();
}

TEST_CASE("whatever number of paths a probe offers, it is answered and one path is used") {
  under_attack world;
  scripted_stream& stream = world.attacker.connect();
  std::uint64_t number = 0;
  for (std::uint16_t const paths : {std::uint16_t{0}, std::uint16_t{3}, std::uint16_t{65535}}) {
    header probe = protocol::make_probe();
    probe.sequence = ++number;
    probe.extensions[1] = static_cast<std::byte>(paths >> 8);
    probe.extensions[2] = static_cast<std::byte>(paths & 255);
    stream.put(probe);
  }
  world.still_delivers(stream, ++number);
  auto const answers = [&] {
    return std::ranges::count_if(stream.frames, [](frame const& each) { return each.head.source_port == 0 && each.head.destination_port == 1; });
  };
  REQUIRE(world.until([&] { return answers() == 3; }));
  REQUIRE(world.attacker.accepted() == 0);
  world.gives_everything_back();
}

TEST_CASE("pongs that nobody asked for are dropped") {
  under_attack world;
  scripted_stream& stream = world.attacker.connect();
  std::uint64_t number = 0;
  world.flood(100, [&](std::uint64_t) {
    for (int round = 0; round < 10; ++round) {
      for (std::uint16_t const port : {std::uint16_t{4000}, std::uint16_t{2}, std::uint16_t{65535}}) {
        header pong = protocol::make_pong(port);
        pong.sequence = ++number;
        stream.put(pong);
      }
    }
  });
  world.still_delivers(stream, ++number);
  REQUIRE(world.counted().rdsco_drop_unrequested_pong == 3000);
  world.gives_everything_back();
}

TEST_CASE("a flood for a port that nobody has is skipped without memory") {
  under_attack world;
  scripted_stream& stream = world.attacker.connect();
  std::size_t largest = 0;
  world.flood(20, [&](std::uint64_t turn) {
    stream.put(data(turn + 1, 0, 777), std::vector<std::byte>(1 << 20));
    largest = std::max(largest, world.here.memory_in_use());
  });
  REQUIRE(world.until([&] {
    largest = std::max(largest, world.here.memory_in_use());
    return world.counted().recv_drop_no_sock == 20;
  }));
  REQUIRE(largest < world.baseline + 500'000);
  world.gives_everything_back();
}

TEST_CASE("half a header and an end of stream leave nothing behind") {
  under_attack world;
  scripted_stream& half = world.attacker.connect();
  auto const header_alone = bytes_of(data(1, 10));
  half.put(std::span(header_alone).first(20));
  half.finish();
  REQUIRE(world.until([&] { return half.ended(); }));
  scripted_stream& torn = world.attacker.connect();
  auto const whole = bytes_of(data(1, 1000), pattern(1, 1000));
  torn.put(std::span(whole).first(500));
  torn.finish();
  REQUIRE(world.until([&] { return torn.ended(); }));
  world.still_delivers(world.attacker.connect(), 1);
  REQUIRE(world.counted().rdsco_drop_bad_frame == 0);
  world.gives_everything_back();
}

TEST_CASE("a thousand connections of one peer replace one another and leave nothing behind") {
  under_attack world;
  auto const before = descriptors_open();
  for (int round = 0; round < 1000; ++round) {
    world.attacker.connect();
    if (round % 20 == 19) {
      for (auto& each : world.attacker.streams) each->close();
      world.turn();
    }
  }
  world.others_went_on();
  world.still_delivers(world.attacker.connect(), 1);
  world.gives_everything_back();
  REQUIRE(world.until([&] { return descriptors_open() <= before; }));
  REQUIRE(world.counted().rdsco_connection_replaced + world.counted().conn_reset > 100);
}

TEST_CASE("a host that is not on the allow-list is let go at once, however often it comes") {
  under_attack world;
  auto const before = descriptors_open();
  for (std::uint64_t round = 1; round <= 1000; ++round) {
    scripted_stream& stream = world.attacker.connect_from(at(stranger));
    stream.put(data(1), pattern(1, 10));
    REQUIRE(world.until([&] { return stream.ended(); }));
    REQUIRE(stream.received == 0);
    stream.close();
    REQUIRE(world.counted().rdsco_accept_refused_peer == round);
  }
  REQUIRE(world.here.tables().connections.size() == 1);
  REQUIRE(take_all(world.target).empty());
  world.gives_everything_back();
  REQUIRE(world.until([&] { return descriptors_open() <= before; }));
}

TEST_CASE("a connection from the node's own address is refused, however often it comes") {
  under_attack world;
  auto const before = descriptors_open();
  for (std::uint64_t round = 1; round <= 100; ++round) {
    scripted_stream& stream = world.attacker.connect_from(at(host));
    stream.put(data(1), pattern(1, 10));
    REQUIRE(world.until([&] { return stream.ended(); }));
    REQUIRE(stream.received == 0);
    stream.close();
    REQUIRE(world.counted().rdsco_accept_refused_peer == round);
  }
  REQUIRE(world.here.tables().connections.size() == 1);
  REQUIRE(take_all(world.target).empty());
  world.gives_everything_back();
  REQUIRE(world.until([&] { return descriptors_open() <= before; }));
}

TEST_CASE("more peers than the limit are refused, and those that are there go on") {
  node_options options = guarded();
  options.limits.peers = 8;
  under_attack world(options);
  for (int last = 10; last < 30; ++last) {
    scripted_stream& stream = world.attacker.connect_from(address::v4(127, 0, 0, static_cast<std::uint8_t>(last)));
    stream.put(data(1));
  }
  REQUIRE(world.until([&] { return world.counted().rdsco_accept_refused_limit == 13; }));
  REQUIRE(world.here.tables().connections.size() == 8);
  world.others_went_on();
}
