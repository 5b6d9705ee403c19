// SPDX-License-Identifier: BSD-2-Clause
// What could go wrong: something on the way of a frame allocates, which no functional test notices.
// How it is forced: operator new is replaced by one that counts, and everything a frame meets is run between two readings.
#include <catch2/catch.hpp>
#include <memory>
#include <vector>

#include "counting_new.hpp"
#include "protocol/backoff.hpp"
#include "protocol/checksum.hpp"
#include "protocol/cm_private_data.hpp"
#include "protocol/congestion_map.hpp"
#include "protocol/extension.hpp"
#include "protocol/fragment.hpp"
#include "protocol/kind.hpp"
#include "protocol/multipath.hpp"
#include "protocol/path_state.hpp"
#include "protocol/sequence.hpp"

using namespace rdsco::protocol;
using rdsco::test::allocations;

namespace {

struct state {
  receive_sequence in;
  transmit_sequence out{1'000'000};
  ack_budget budget;
  fragment_assembly fragments;
  congestion_map map;
  path_state_machine path;
  backoff wait;
};

// Everything that the protocol does for one message out and one in.
std::uint64_t one_message(state& s, std::span<std::byte> frame) {
  header h = make_probe(node_extension{1, node_feature::ack_frames, 7});
  h.sequence = s.out.take();
  h.source_port = 4000;
  h.destination_port = 5000;
  h.length = 16;
  h.flags = s.budget.charge(h.length) ? flag::ack_required : std::uint8_t{0};
  auto const head = frame.first<header_bytes>();
  encode(h, head);
  seal<checksum_rule::always>(head);

  std::uint64_t sum = static_cast<std::uint64_t>(s.fragments.admit(frame));
  header const& got = s.fragments.first();
  path_offer const offer = parse_offer(got);
  sum += s.in.peer_generation(offer.generation) ? 1 : 0;
  sum += static_cast<std::uint64_t>(classify(got, {true})) + static_cast<std::uint64_t>(s.in.admit(got.sequence, false));
  sum += static_cast<std::uint64_t>(s.out.acknowledge(*s.in.last_received()));
  sum += s.map.set(static_cast<std::uint16_t>(got.sequence)) ? 1 : 0;
  sum += s.map.load(s.map.wire()).mask;
  return sum;
}

}  // namespace

TEST_CASE("the counter counts") {
  std::size_t const before = allocations();
  std::vector<int> const v(100);
  CHECK(allocations() > before);
  std::size_t const between = allocations();
  auto const map = std::make_unique<congestion_map>();  // over-aligned
  CHECK(allocations() > between);
}

TEST_CASE("no allocation on the way of a message") {
  state s;
  std::array<std::byte, header_bytes + 16> frame{};
  std::uint64_t sum = 0;
  std::size_t const before = allocations();
  for (int i = 0; i < 1000; ++i) sum += one_message(s, frame);
  std::size_t const after = allocations();
  CHECK(after == before);
  CHECK(s.in.last_received() == s.out.highest_transmitted());
  CHECK(s.out.acknowledged() == s.out.highest_transmitted());
  CHECK(sum > 0);
}

TEST_CASE("no allocation in the life of a path") {
  state s;
  std::array<std::byte, cm_private_v6_bytes> wire{};
  std::size_t const before = allocations();
  for (int i = 0; i < 100; ++i) {
    bool ok = s.path.apply(path_event::connect) && s.path.apply(path_event::established);
    s.path.drop();
    ok = ok && s.path.apply(path_event::shutdown) && s.path.apply(path_event::torn_down);
    encode_v6(cm_private_data{}, wire);
    ok = ok && decode_cm(address_family::v6, wire).has_value();
    ok = ok && s.wait.next_delay(static_cast<std::uint64_t>(i)) < backoff::default_maximum;
    if (!ok) FAIL("a step of the path failed");
  }
  std::size_t const after = allocations();
  CHECK(after == before);
  CHECK(s.path.resets() == 100);
}
