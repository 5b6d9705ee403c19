// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: an operation between sockets of one node does what an adapter would refuse, or less than an adapter would do.
// Forced by: the contract of remote memory, between two addresses and on one.

#include "node/world.hpp"
#include "support/remote_contract.hpp"

namespace {

using namespace rdsco;
using namespace rdsco::test;

template <class Case>
void on_loopback(Case run) {
  for (bool const two : {false, true}) {
    INFO((two ? "two addresses" : "one address"));
    loop where;
    node_options told;
    told.own<loopback>(at("127.0.0.1")).own<loopback>(at("127.0.0.2")).allow(net("127.0.0.0/8"));
    node on = open(where, told);
    rdsco::socket owner = bound(on, "127.0.0.1"), user = bound(on, two ? "127.0.0.2" : "127.0.0.1");
    block_on(where, run(remote_ends(owner, user)));
    owner.close();
    user.close();
    block_on(where, on.close(0ns));
    CHECK(on.memory_in_use() == 0);
    CHECK(where.frames() == 0);
  }
}

}  // namespace

TEST_CASE("loopback: a write is seen before its datagram") {
  for (std::size_t const bytes : {1u, 4096u, 3u << 20}) on_loopback([=](remote_ends ends) { return write_is_seen_before_its_datagram(ends, bytes); });
}
TEST_CASE("loopback: a read is complete when it completes") {
  for (std::size_t const bytes : {1u, 4096u, 3u << 20}) on_loopback([=](remote_ends ends) { return read_is_complete_when_it_completes(ends, bytes); });
}
TEST_CASE("loopback: parts are gathered and scattered") { on_loopback(parts_are_gathered_and_scattered); }
TEST_CASE("loopback: what is not permitted fails, and the rest goes on") { on_loopback(what_is_not_permitted_fails); }
TEST_CASE("loopback: withdrawn memory is out of reach") { on_loopback(withdrawn_is_out_of_reach); }
TEST_CASE("loopback: what is offered for one use is used once") { on_loopback(used_once); }
TEST_CASE("loopback: a silent operation tells nobody") { on_loopback(silent_tells_nobody); }
TEST_CASE("loopback: atomics count") { on_loopback(atomics_count); }
TEST_CASE("loopback: misuse is told at once") {
  loop where;
  node_options told;
  told.own<loopback>(at("127.0.0.1")).own<loopback>(at("127.0.0.2")).allow(net("127.0.0.0/8"));
  node on = open(where, told);
  rdsco::socket owner = bound(on, "127.0.0.1"), user = bound(on, "127.0.0.2");
  block_on(where, misuse_is_told_at_once(remote_ends(owner, user)));
  block_on(where, on.close(0ns));
}

TEST_CASE("what a transport cannot do is not supported on a type-erased socket") {
  world w(way::connecting);
  rdsco::socket here = w.near_socket();
  auto memory = zeros(10);
  CHECK((block_on(w.where, here.register_memory(memory))).ec == errc::not_supported);
}
