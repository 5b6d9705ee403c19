// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: the slot that an acknowledgement needs is given away, a request is thought done that is not, or one that is done never is;
// or an adapter is not told what to announce, and what to hold back.
// Forced by: a ring of three slots, filled and emptied one by one, and what a fake adapter carries out and tells.

#include "transports/verbs/send_ring.hpp"
#include "verbs/bare_host.hpp"

namespace {

using namespace rdsco;
using namespace rdsco::test;

struct ring_of_three {
  fake_fabric fabric;
  bare_host near{fabric, "10.0.0.1"}, far{fabric, "10.0.0.2"};
  bare_memory received{far, IBV_ACCESS_LOCAL_WRITE};
  detail::send_ring ring{*near.api};

  ring_of_three() {
    near.connect(far);
    REQUIRE(ring.open(near.domain, 3) == 0);
  }
  void put(bool announced = false, bool fenced = false) {
    static_cast<void>(ring.begin(0));
    ring.finish(protocol::header(), announced, fenced);
  }
  // The numbers that the adapter tells of.
  [[nodiscard]] std::vector<std::uint64_t> posted() {
    for (int each = 0; each < 3; ++each) REQUIRE(far.post_receive(received.part(0, protocol::header_bytes)) == 0);
    REQUIRE(ring.post(near.pair) == 0);
    std::vector<std::uint64_t> numbers;
    for (ibv_wc const& each : near.told(near.sends)) numbers.push_back(each.wr_id);
    return numbers;
  }
};

}  // namespace

TEST_CASE("one slot of a ring is kept for an acknowledgement") {
  ring_of_three w;
  CHECK(w.ring.room() == 2);
  w.put();
  CHECK(w.ring.room() == 1);
  w.put();
  CHECK(w.ring.room() == 0);
  CHECK(w.ring.room_for_acknowledgement());
  w.put();
  CHECK(w.ring.room() == 0);
  CHECK_FALSE(w.ring.room_for_acknowledgement());
}

TEST_CASE("a request that has completed is done, with all before it, and none behind it") {
  ring_of_three w;
  for (int each = 0; each < 3; ++each) w.put();
  w.ring.completed(0);
  CHECK(w.ring.done() == 1);
  CHECK(w.ring.room() == 0);
  CHECK(w.ring.room_for_acknowledgement());
  CHECK_FALSE(w.ring.idle());
  w.ring.completed(2);
  CHECK(w.ring.done() == 3);
  CHECK(w.ring.room() == 2);
  CHECK(w.ring.idle());
}

TEST_CASE("behind a request that holds the ring there is no room, not for an acknowledgement either, until it has completed") {
  ring_of_three w;
  w.put();
  static_cast<void>(w.ring.put_request(false));
  w.ring.hold_behind_last();
  CHECK_FALSE(w.ring.room_for_acknowledgement());
  w.ring.completed(0);
  CHECK(w.ring.room() == 0);
  CHECK_FALSE(w.ring.room_for_acknowledgement());
  w.ring.completed(1);
  CHECK(w.ring.room() == 2);
  CHECK(w.ring.room_for_acknowledgement());
}

TEST_CASE("of what is posted in one call the last is told of") {
  ring_of_three w;
  w.put();
  CHECK(w.posted() == std::vector<std::uint64_t>{0});
  w.ring.completed(0);
  w.put();
  w.put();
  CHECK(w.posted() == std::vector<std::uint64_t>{2});
}

TEST_CASE("what is to be announced and what is to wait is said to the adapter, of that request alone") {
  ring_of_three w;
  std::vector<unsigned> flags;
  w.fabric.on_message = [&](ibv_send_wr const& request, std::span<std::byte const>) {
    flags.push_back(request.send_flags & (IBV_SEND_SOLICITED | IBV_SEND_FENCE));
  };
  w.put(true, false);
  w.put(false, true);
  w.put(false, false);
  static_cast<void>(w.posted());
  CHECK(flags == std::vector<unsigned>{IBV_SEND_SOLICITED, IBV_SEND_FENCE, 0});
}
