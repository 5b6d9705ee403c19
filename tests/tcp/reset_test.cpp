// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a message torn, lost or repeated when a connection breaks at some particular byte of it.
// Forced by: a reset at every byte of headers and payloads, of the map before them and of the seams between them, in both directions.

#include "support/rig.hpp"

#include <array>
#include <deque>

namespace {

using namespace rdsco;
using namespace rdsco::test;

constexpr std::size_t map_frame_bytes = 48 + 8192;
constexpr std::array<std::size_t, 3> sizes{5, 0, 100};

std::size_t size_of(std::uint64_t index) { return sizes[index % sizes.size()]; }

/// Every byte of a map's header, some of the map, and every byte of what follows it.
std::vector<std::size_t> cuts(std::size_t behind_the_map) {
  std::vector<std::size_t> made;
  for (std::size_t at = 0; at <= 49; ++at) made.push_back(at);
  for (std::size_t const at : {4095u, 4096u, 8191u, 8192u}) made.push_back(at);
  for (std::size_t at = map_frame_bytes - 2; at <= map_frame_bytes + behind_the_map; ++at) made.push_back(at);
  return made;
}

// What a kernel does with its send queue: what TCP acknowledged in full is gone, what it began to send is flagged.
class kernel_sender {
 public:
  void queue(std::uint64_t index) {
    auto const payload = pattern(index, size_of(index));
    protocol::header head;
    head.sequence = index + 1;
    head.length = static_cast<std::uint32_t>(payload.size());
    head.source_port = 5000;
    head.destination_port = 4000;
    unacknowledged_.push_back({head, payload, false});
  }

  [[nodiscard]] std::vector<std::byte> stream() const {
    protocol::header map;
    map.flags = protocol::flag::congestion_bitmap;
    map.length = protocol::congestion_map_bytes;
    auto made = bytes_of(map, std::vector<std::byte>(protocol::congestion_map_bytes));
    for (auto const& each : unacknowledged_) {
      auto const one = bytes_of(each.head, each.payload);
      made.insert(made.end(), one.begin(), one.end());
    }
    return made;
  }

  void broke_after(std::size_t bytes) {
    std::size_t end = map_frame_bytes;
    std::size_t taken = 0;
    for (auto& each : unacknowledged_) {
      if (end < bytes) each.head.flags = protocol::flag::retransmitted;
      end += protocol::header_bytes + each.payload.size();
      if (end <= bytes) ++taken;
    }
    unacknowledged_.erase(unacknowledged_.begin(), unacknowledged_.begin() + static_cast<std::ptrdiff_t>(taken));
  }

 private:
  std::deque<frame> unacknowledged_;
};

}  // namespace

TEST_CASE("a kernel's connection breaks at every byte of what it sends: everything arrives once and in order") {
  rig world;
  scripted_peer peer(at("127.0.0.1"), at("127.0.0.2"), tcp_port());
  world.add(peer);
  node_options options = on_tcp("127.0.0.2");
  options.limits.accepted_waiting = 1000;
  node here = test::open(world.where, options);
  socket into = bound(here, "127.0.0.2", 4000);
  kernel_sender sender;
  std::uint64_t queued = 0, got = 0;
  auto const take = [&] {
    for (message const& each : take_all(into)) {
      INFO("datagram " << got);
      REQUIRE(matches(each, got, size_of(got)));
      ++got;
    }
  };
  for (std::size_t const cut : cuts(3 * 48 + 105)) {
    INFO("cut at " << cut);
    for (int more = 0; more < 3; ++more) sender.queue(queued++);
    scripted_stream& stream = peer.connect();
    auto bytes = sender.stream();
    bytes.resize(std::min(bytes.size(), cut));
    stream.put(bytes);
    // The node reads before the end in every other round.
    while (stream.unsent() != 0 && !stream.ended()) stream.pump();
    REQUIRE(!stream.ended());
    for (int turn = 0; turn < 20 && cut % 2 == 0; ++turn) world.turn();
    stream.reset();
    sender.broke_after(cut);
    take();
  }
  scripted_stream& last = peer.connect();
  last.put(sender.stream());
  REQUIRE(world.until([&] { return take(), got >= queued; }));
  into.close();
  world.close(here);
}

TEST_CASE("a kernel breaks the connection at every byte of what it is sent: everything arrives once and in order") {
  rig world;
  kernel_peer peer(at("127.0.0.2"), at("127.0.0.1"), tcp_port());
  world.add(peer);
  node_options options = on_tcp("127.0.0.1");
  options.tcp.reconnect_max = 2ms;
  node here = test::open(world.where, options);
  socket from = bound(here, "127.0.0.1", 4000);
  std::uint64_t queued = 0;
  for (std::size_t const cut : cuts(4 * 48 + 105)) {
    peer.on_accept = [cut](scripted_stream& stream) { stream.read_limit = cut; };
    for (int more = 0; more < 3; ++more, ++queued)
      REQUIRE(!from.try_send_to(pattern(queued, size_of(queued)), to("127.0.0.2", 5000)));
    std::size_t const streams = peer.streams.size();
    if (streams != 0) peer.last()->reset();
    REQUIRE(world.until([&] { return peer.streams.size() > streams && (peer.last()->received == cut || peer.delivered.size() == queued); }));
  }
  peer.on_accept = nullptr;
  peer.last()->reset();
  REQUIRE(world.until([&] { return peer.delivered.size() >= queued && from.unacknowledged() == 0; }));
  REQUIRE(peer.delivered.size() == queued);
  for (std::uint64_t index = 0; index < queued; ++index) REQUIRE(peer.delivered[index].payload == pattern(index, size_of(index)));
  from.close();
  world.close(here);
}
