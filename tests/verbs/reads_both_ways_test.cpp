// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: two adapters that answer nothing while a request of their own waits for a READ wait for each other, and nothing moves any more.
// Forced by: a cut until both sides have posted what they can behind their READs, and a fake adapter that is as soft-iWARP is.

#include "verbs/remote_nodes.hpp"

namespace {

using namespace rdsco;
using namespace rdsco::test;

constexpr std::size_t bytes = 5u << 19;  // three requests

task<> read_the_others(remote_ends ends, lent_memory& lent) {
  auto data = zeros(bytes);
  region const local = co_await local_memory(ends.user, data);
  rdma_options gives_up;
  gives_up.flush_on_cancel = true;
  auto const got = co_await with_timeout(patience, ends.user.rdma_read(local.all(), lent.remote, 0, "read", gives_up));
  INFO(got.ec.message());
  REQUIRE(!got.ec);
  REQUIRE(data == lent.memory);
  REQUIRE((co_await with_timeout(patience, ends.owner.receive())).data.to_string() == "read");
}

template <class Fabric>
struct both_lend : two_with_memory<Fabric> {
  explicit both_lend(std::function<void(fake_fabric&)> const& prepare) : two_with_memory<Fabric>(quick(), prepare) {
    far_lends.memory = pattern(3, bytes);
    near_lends.memory = pattern(4, bytes);
    block_on(this->where, far_lends.offer(near_reads, access::read));
    block_on(this->where, near_lends.offer(far_reads, access::read));
  }
  // Neither READ leaves before both sides have posted.
  void read_at_once() {
    this->fabric.cut(at("10.0.0.1"), at("10.0.0.2"), true);
    task_group group(this->where);
    group.spawn(read_the_others(near_reads, far_lends));
    group.spawn(read_the_others(far_reads, near_lends));
    turn(this->where, 100);
    this->fabric.cut(at("10.0.0.1"), at("10.0.0.2"), false);
    block_on(this->where, joined(group));
  }

  remote_ends near_reads = this->ends();
  remote_ends far_reads{this->from, this->into};
  lent_memory far_lends{bytes}, near_lends{bytes};
};

// Fenced requests that are posted while something else stands before them.
std::shared_ptr<int> fenced_behind_others(fake_fabric& fabric) {
  auto seen = std::make_shared<int>(0);
  fabric.on_posted = [seen](ibv_send_wr const& request, std::size_t before) {
    *seen += (request.send_flags & IBV_SEND_FENCE) != 0 && before != 0;
  };
  return seen;
}

}  // namespace

TEST_CASE("verbs: two that read from each other at once both get on, on adapters that answer nothing while they wait") {
  both_lend<iwarp_slots> w([](fake_fabric& on) {
    on.attributes.vendor_id = 0x626d74;
    on.rules.answers_while_waiting = false;
  });
  auto const waiting = fenced_behind_others(w.fabric);
  w.read_at_once();
  CHECK(*waiting == 0);
}

TEST_CASE("verbs: others are given all of an operation at once") {
  both_lend<iwarp_slots> w({});
  auto const waiting = fenced_behind_others(w.fabric);
  w.read_at_once();
  CHECK(*waiting == 2);
}
