// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: traffic between two addresses of one adapter goes past it although it can carry it, or through one that cannot.
// Forced by: nodes with two addresses, on transports that differ in that capability alone, and adapters that count what they carry.

#include "verbs/one_node.hpp"

namespace {

using namespace rdsco;
using namespace rdsco::test;

}  // namespace

TEST_CASE("IB: a datagram between two addresses of a node goes through their adapter") {
  one_node<fake_ib> w;
  block_on(w.where, exchange(w.where, w.from, w.into, 1));
  CHECK(w.fabric.connections() == 1);
  CHECK(w.seen.messages >= 2);
  CHECK(w.carried_by(at("10.0.0.1"), at("10.0.0.2")) == "ib");
  CHECK(w.carried_by(at("10.0.0.2"), at("10.0.0.1")) == "ib");
}
