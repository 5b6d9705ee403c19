// SPDX-License-Identifier: BSD-2-Clause
// What could go wrong: a stream that decodes differently where it is cut, or that makes a node crash, hang, deliver what was not sent,
// keep memory, or neglect another peer.
// How it is forced: any stream in any pieces, into the decoder alone and into a node on a network in memory.
#include <rdsco/block_on.hpp>
#include <rdsco/loop.hpp>
#include <rdsco/node.hpp>

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "fuzz/fuzz.hpp"
#include "protocol/header.hpp"
#include "support/memory_backend.hpp"
#include "transports/tcp/stream_decoder.hpp"

using namespace rdsco;
using rdsco::fuzz::require;

namespace {

constexpr std::size_t length_max = 20'000;
constexpr std::array<std::uint16_t, 3> ports{4000, 4001, 5000};

struct frame {
  protocol::header head;
  std::vector<std::byte> payload;
};

/// The whole messages of a stream, up to the first that is too long.
std::vector<frame> plain_decode(const_buffer stream) {
  std::vector<frame> found;
  while (stream.size() >= protocol::header_bytes) {
    auto const head = protocol::decode(stream.first<protocol::header_bytes>());
    stream = stream.subspan(protocol::header_bytes);
    if (!protocol::length_acceptable(head, length_max) || stream.size() < head.length) break;
    found.push_back({head, std::vector<std::byte>(stream.begin(), stream.begin() + head.length)});
    stream = stream.subspan(head.length);
  }
  return found;
}

/// Sizes of pieces that follow from one byte: whole, single bytes, or anything between.
class cutter {
 public:
  explicit cutter(std::uint8_t seed) : state_(seed), whole_(seed == 0) {}
  std::size_t next() {
    if (whole_) return ~std::size_t{0};
    state_ = state_ * 1103515245 + 12345;
    std::uint32_t const drawn = state_ >> 16;
    return drawn % 4 == 0 ? 1 + drawn % 61 : 1 + drawn % 4093;
  }

 private:
  std::uint32_t state_;
  bool whole_;
};

/// Keeps what the decoder hands over; of every fifth message it skips the payload.
struct collector {
  bool acceptable(protocol::header const& head) { return protocol::length_acceptable(head, length_max); }
  bool whole(protocol::header const& head, const_buffer payload) {
    require(payload.size() == head.length);
    found.push_back({head, std::vector<std::byte>(payload.begin(), payload.end())});
    return true;
  }
  void* begin(protocol::header const& head, std::byte*& memory) {
    require(open == nullptr && head.length != 0);
    if (head.sequence % 5 == 0) return nullptr;
    open = std::make_unique<std::vector<std::byte>>(head.length);
    memory = open->data();
    return open.get();
  }
  [[nodiscard]] bool refused() const { return false; }
  bool finish(protocol::header const& head, void* message) {
    require(message == open.get());
    found.push_back({head, open ? std::move(*open) : std::vector<std::byte>(head.length)});
    open.reset();
    return true;
  }
  void discard(void* message) {
    require(message == open.get());
    open.reset();
  }

  std::vector<frame> found;
  std::unique_ptr<std::vector<std::byte>> open;
};

void check_decoder(const_buffer stream, std::uint8_t cuts) {
  collector into;
  {
    detail::stream_decoder<collector> decoder(into);
    cutter pieces(cuts);
    for (const_buffer rest = stream; !rest.empty();) {
      mutable_buffer const direct = decoder.direct_space();
      std::size_t const count = std::min(pieces.next(), rest.size());
      if (!direct.empty() && count % 2 == 0) {
        std::size_t const placed = std::min(count, direct.size());
        std::copy_n(rest.begin(), placed, direct.begin());
        if (!decoder.direct_filled(placed)) break;
        rest = rest.subspan(placed);
        continue;
      }
      if (!decoder.feed(rest.first(count))) break;
      rest = rest.subspan(count);
    }
  }
  require(into.open == nullptr);
  auto const expected = plain_decode(stream);
  require(into.found.size() == expected.size());
  for (std::size_t at = 0; at < expected.size(); ++at) {
    require(into.found[at].head == expected[at].head);
    bool const skipped = std::ranges::all_of(into.found[at].payload, [](std::byte each) { return each == std::byte{0}; });
    require(into.found[at].payload == expected[at].payload || (skipped && expected[at].head.sequence % 5 == 0));
  }
}

class constant_random final : public detail::random_source {
 public:
  std::uint64_t next() noexcept override { return state_ = state_ * 6364136223846793005u + 1442695040888963407u; }

 private:
  std::uint64_t state_ = 1;
};

address const node_at = address::v4(10, 0, 0, 9);

/// A peer without a node: a stream in memory that says what it is told.
class raw_stream {
 public:
  raw_stream(test::memory_backend& io, loop& node, std::uint8_t last_byte) : io_(io), node_(node) {
    require(io_.open_stream(address::v4(10, 0, 0, last_byte), detail::stream_tuning(), stream_) == 0);
    io_.connect(stream_, endpoint(node_at, protocol::tcp_port), connecting_);
    turn(4);
    require(!connecting_.in_flight && connecting_.result == 0);
  }
  ~raw_stream() { io_.close(stream_, false); }
  raw_stream(raw_stream const&) = delete;
  raw_stream& operator=(raw_stream const&) = delete;

  void turn(int times) {
    for (int i = 0; i < times; ++i) {
      static_cast<void>(io_.poll_completions());
      static_cast<void>(node_.poll());
      swallow();
    }
  }
  /// False: the node has ended the stream.
  bool say(const_buffer bytes) {
    for (int tries = 0; !bytes.empty() && tries < 1000; ++tries) {
      auto const sent = io_.try_send(stream_, std::span<const_buffer const>(&bytes, 1));
      if (sent < 0 && sent != -EAGAIN) return false;
      if (sent > 0) bytes = bytes.subspan(static_cast<std::size_t>(sent));
      turn(2);
    }
    return bytes.empty();
  }

 private:
  static void nothing(detail::io_operation&) noexcept {}
  void swallow() {
    std::array<std::byte, 16 * 1024> into;
    mutable_buffer const one(into);
    while (io_.try_receive(stream_, std::span<mutable_buffer const>(&one, 1)) > 0) {}
  }

  test::memory_backend& io_;
  loop& node_;
  detail::io_handle stream_;
  detail::io_operation connecting_{&nothing};
};

std::vector<frame> for_ports(std::vector<frame> const& all) {
  std::vector<frame> found;
  for (auto const& each : all)
    if (std::ranges::find(ports, each.head.destination_port) != ports.end() && each.head.source_port != 0) found.push_back(each);
  return found;
}

/// Each datagram was in the stream, and behind the one before it.
void check_delivered(socket& at, std::vector<frame> const& sent) {
  std::size_t from = 0;
  for (;;) {
    auto const got = at.try_receive();
    if (got.ec) return;
    std::vector<std::byte> scratch;
    auto const payload = got.data.contiguous(scratch);
    auto const same = [&](frame const& each) {
      return each.head.destination_port == at.local().port && each.head.source_port == got.data.from().port &&
             std::ranges::equal(each.payload, payload);
    };
    while (from < sent.size() && !same(sent[from])) ++from;
    require(from++ < sent.size());
  }
}

void check_other_peer_is_heard(raw_stream& healthy, socket& at) {
  protocol::header head;
  head.sequence = 1;
  head.length = 48;
  head.source_port = 6000;
  head.destination_port = at.local().port;
  std::array<std::byte, 2 * protocol::header_bytes> message{};
  protocol::encode(head, std::span(message).first<protocol::header_bytes>());
  require(healthy.say(message));
  auto const got = at.try_receive();
  require(!got.ec && got.data.size() == 48 && got.data.from().host == address::v4(10, 0, 0, 2));
}

void check_node(const_buffer stream, std::uint8_t cuts) {
  test::manual_clock clock;
  test::memory_network network(clock);
  constant_random random;
  test::memory_backend peers(network);
  auto world = test::memory_seams(network);
  world.random = &random;
  loop where(loop_options(), std::move(world));
  node_options options;
  options.own(node_at).allow(*subnet::parse("10.0.0.0/24"));
  options.limits.message_bytes = length_max;
  node under_test = node::open(where, options).value();
  std::vector<socket> sockets;
  for (std::uint16_t const port : ports) sockets.push_back(under_test.bind(node_at, port).value());
  {
    raw_stream healthy(peers, where, 2);
    {
      raw_stream hostile(peers, where, 1);
      cutter pieces(cuts);
      for (const_buffer rest = stream; !rest.empty();) {
        std::size_t const count = std::min(pieces.next(), rest.size());
        if (!hostile.say(rest.first(count))) break;
        rest = rest.subspan(count);
      }
      hostile.turn(4);
    }
    auto const sent = for_ports(plain_decode(stream));
    for (socket& each : sockets) check_delivered(each, sent);
    check_other_peer_is_heard(healthy, sockets.front());
  }
  sockets.clear();
  block_on(where, under_test.close(std::chrono::nanoseconds(0)));
  require(under_test.memory_in_use() == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  rdsco::fuzz::input in{data, size};
  auto const cuts = in.number<std::uint8_t>();
  auto const stream = in.rest();
  check_decoder(stream, cuts);
  check_node(stream, cuts);
  return 0;
}
