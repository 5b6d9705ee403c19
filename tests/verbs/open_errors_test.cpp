// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a node does not open, or never connects, and nobody can tell that an adapter, a permission or a limit is missing.
// Forced by: fake adapters that refuse what real ones and their drivers refuse, and a look at what the program is told.

#include "transports/verbs/frame_slots.hpp"
#include "verbs/faulty_exchange.hpp"

#include <cerrno>

namespace {

using namespace rdsco;
using namespace rdsco::test;

template <class Transport = fake_ib>
std::error_code opening(fake_fabric& fabric) {
  loop where;
  current_fabric = &fabric;
  node_options options;
  options.own<Transport>(at("10.0.0.1")).allow(net("10.0.0.0/24"));
  auto made = node::open(where, options);
  block_on(where, made.data.close());
  current_fabric = nullptr;
  return made.ec;
}

std::error_code opening_refused(std::string_view call, int answer) {
  fake_fabric fabric;
  fabric.faults.refused[call] = answer;
  auto const why = opening(fabric);
  CHECK(fabric.alive() == 0);
  return why;
}

bool says(std::error_code why, std::string_view what) { return why.message().find(what) != std::string::npos; }

}  // namespace

TEST_CASE("an address that is on no adapter") {
  auto const why = opening_refused("bind_address", -EADDRNOTAVAIL);
  CHECK(why == errc::no_device);
  CHECK(says(why, "rdma link"));
}

TEST_CASE("no connection manager in the kernel") {
  for (int const answer : {-ENODEV, -ENOENT, -ENOSYS}) {
    auto const why = opening_refused("open_events", answer);
    CHECK(why == errc::no_device);
    CHECK(says(why, "rdma_ucm"));
  }
}

TEST_CASE("an adapter of another kind") {
  fake_fabric fabric(IBV_NODE_RNIC);
  CHECK(opening(fabric) == errc::device_unsuitable);
  CHECK(fabric.alive() == 0);
}

TEST_CASE("an adapter that cannot hold what a connection needs") {
  struct limits {
    ibv_node_type kind;
    int requests, completions;
    bool opens;
  };
  for (limits const& each : {limits{IBV_NODE_CA, 3, 4, true}, limits{IBV_NODE_CA, 2, 100, false}, limits{IBV_NODE_CA, 100, 3, false},
                             limits{IBV_NODE_CA, 0, 0, false}, limits{IBV_NODE_CA, -1, 100, false}, limits{IBV_NODE_RNIC, 4, 7, true},
                             limits{IBV_NODE_RNIC, 3, 100, false}, limits{IBV_NODE_RNIC, 100, 6, false}}) {
    INFO(each.requests << " requests, " << each.completions << " completions");
    fake_fabric fabric(each.kind);
    fabric.attributes.max_qp_wr = each.requests;
    fabric.attributes.max_cqe = each.completions;
    auto const why = each.kind == IBV_NODE_CA ? opening(fabric) : opening<fake_iwarp>(fabric);
    CHECK(why == (each.opens ? std::error_code() : make_error_code(errc::device_unsuitable)));
    if (why) CHECK(says(why, "cannot hold"));
    CHECK(fabric.alive() == 0);
  }
}

TEST_CASE("a limit of locked memory shows when the node is opened, and the text says how much is needed") {
  auto const why = opening_refused("register_memory", -ENOMEM);
  CHECK(why == errc::locked_memory_limit);
  CHECK(says(why, "ulimit -l"));
  std::size_t const slot = detail::frame_slots::slot_bytes;
  verbs_options const usual;
  CHECK(says(why, std::to_string(slot) + " bytes"));
  CHECK(says(why, std::to_string(slot * (usual.receives + usual.sends) / 1024) + " KiB"));
  CHECK(opening_refused("register_memory", -EPERM) == errc::device_not_permitted);
}

TEST_CASE("the memory that is tried is that of one connection, and given back") {
  fake_fabric fabric;
  std::vector<std::size_t> tried;
  fabric.on_registered = [&](std::size_t bytes) { tried.push_back(bytes); };
  CHECK(!opening(fabric));
  verbs_options const usual;
  CHECK(tried == std::vector<std::size_t>{detail::frame_slots::slot_bytes * (usual.receives + usual.sends)});
  CHECK(fabric.alive() == 0);
}

TEST_CASE("adapters that are there and may not be opened look as if there were none, and are told apart") {
  for (std::string_view const call : {"open_events", "bind_address"}) {
    fake_fabric fabric;
    fabric.faults.refused[call] = -ENODEV;
    fabric.faults.refused["devices_permitted"] = -EACCES;
    auto const why = opening(fabric);
    CHECK(why == errc::device_not_permitted);
    CHECK(says(why, "/dev/infiniband/uverbs"));
    // What has another reason is said as it is.
    fabric.faults.refused[call] = -EADDRINUSE;
    CHECK(opening(fabric) == errc::address_in_use);
  }
}

TEST_CASE("a user who may not use adapters") {
  for (int const answer : {-EACCES, -EPERM}) {
    auto const why = opening_refused("open_events", answer);
    CHECK(why == errc::device_not_permitted);
    CHECK(why == std::errc::permission_denied);
    CHECK(says(why, "/dev/infiniband/rdma_cm"));
    CHECK(opening_refused("bind_address", answer) == errc::device_not_permitted);
  }
}

TEST_CASE("somebody else listens already, and anything else is said as the system says it") {
  CHECK(opening_refused("bind_address", -EADDRINUSE) == errc::address_in_use);
  CHECK(opening_refused("bind_address", -EPROTO) == std::errc::protocol_error);
}

TEST_CASE("the limit of locked memory is met when a connection is made: it is counted, the tables say what to do, and no send is lost") {
  two_on<fake_ib> w(quick());
  w.fabric.faults.refused["register_memory"] = -ENOMEM;
  REQUIRE(!w.from.try_send_to(pattern(0, exchanged_size(0)), w.into.local()));
  REQUIRE(comes_true(w.where, [&] { return w.near.counters().rdsco_verbs_setup_failed >= 3; }));
  auto const row = w.near.tables().connections.at(0);
  CHECK(row.trouble == make_error_code(errc::locked_memory_limit).message());
  CHECK(row.trouble.find("LimitMEMLOCK") != std::string::npos);
  CHECK(w.near.to_json().find("LimitMEMLOCK") != std::string::npos);
  w.fabric.faults.refused.clear();
  block_on(w.where, receive_numbered(w.into, 1));
  CHECK(w.near.tables().connections.at(0).trouble.empty());
}

TEST_CASE("a peer that is not there: the tables say so") {
  two_on<fake_ib> w(quick());
  w.into.close();
  block_on(w.where, w.far.close());
  w.far = node();
  REQUIRE(!w.from.try_send_to(pattern(0, 10), to("10.0.0.2", 5000)));
  auto const refused = std::make_error_code(std::errc::connection_refused).message();
  CHECK(comes_true(w.where, [&] { return w.near.tables().connections.at(0).trouble == refused; }));
  w.fabric.cut(at("10.0.0.1"), at("10.0.0.2"), true);
  auto const late = make_error_code(errc::timed_out).message();
  CHECK(comes_true(w.where, [&] { return w.near.tables().connections.at(0).trouble == late; }));
}
