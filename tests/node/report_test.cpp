// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a counter that is missing, counts twice or not at all, JSON that scripts cannot read, tables that disagree.
// Forced by: known traffic, and comparing every number that it determines.

#include "node/world.hpp"

#include <nlohmann/json.hpp>

namespace {

using namespace rdsco;
using namespace rdsco::test;

task<> counted_traffic(world& w) {
  socket from = w.near_socket(4000), into = w.far_socket(5000);
  for (int i = 0; i < 10; ++i) REQUIRE(!(co_await from.send_to(pattern(0, 1000), into.local())).ec);
  REQUIRE(!(co_await with_timeout(patience, from.send_to({}, to(w.far_host, 77), until::acknowledged))).ec);
  std::array<std::byte, 600> bytes{};
  for (int i = 0; i < 4; ++i) REQUIRE(!(co_await with_timeout(patience, into.receive_into(bytes))).ec);
  for (int i = 0; i < 3; ++i) REQUIRE(!(co_await with_timeout(patience, into.receive())).ec);
  CHECK((co_await from.drain(patience)).data == 0);
  auto const& near = w.near().counters();
  auto const& far = w.far().counters();
  CHECK(near.send_queued == 11);
  CHECK(near.copy_from_user == 10000);
  CHECK(far.recv_queued == 10);
  CHECK(far.recv_delivered == 7);
  CHECK(far.copy_to_user == 2400);
  CHECK(far.recv_bytes_added_to_sock == 10000);
  CHECK(far.recv_bytes_freed_fromsock == 7000);
  CHECK(far.recv_drop_no_sock == 1);
  for (std::uint64_t const none : {near.conn_reset, far.conn_reset, far.recv_drop_old_seq, far.recv_drop_dead_sock, near.cong_send_error,
                                   near.send_queue_full, near.rdsco_withdrawn, near.rdsco_retransmitted, far.rdsco_drop_bad_frame})
    CHECK(none == 0);
  // The handshake's own numbered frames are retired as well: a probe, the answer to one.
  if (!w.one_node()) CHECK(near.rdsco_retired_by_ack >= 11);
  if (!w.one_node()) CHECK(near.rdsco_retired_by_ack <= 13);
  CHECK(unread_bytes(w.far(), into.local()) == 3000);
  CHECK(w.far().tables().receive_queue.size() == 3);
  CHECK(w.far().tables().receive_queue[0].from == from.local());
  CHECK(w.far().tables().receive_queue[0].to == into.local());
}

task<> described(world& w) {
  socket from = w.near_socket(4000), into = w.far_socket(5000);
  from.set_default_peer(into.local());
  for (int i = 0; i < 3; ++i) REQUIRE(!(co_await with_timeout(patience, from.send_to("12345", into.local(), until::acknowledged))).ec);
  if (!w.one_node()) CHECK_FALSE(from.try_send_to("unsent", to("127.0.0.77", 6)));
  auto const read = nlohmann::json::parse(w.near().to_json());
  w.near().counters().for_each([&](char const* counter, std::uint64_t value) {
    INFO(counter);
    REQUIRE(read.at("counters").contains(counter));
    CHECK(read.at("counters").at(counter) == value);
  });
  std::size_t const own_sockets = w.one_node() ? 2 : 1;
  REQUIRE(read.at("sockets").size() == own_sockets);
  for (auto const& row : read.at("sockets")) {
    if (row.at("bound") != from.local().to_string()) continue;
    CHECK(row.at("connected") == into.local().to_string());
    CHECK(row.at("unacknowledged_bytes") == (w.one_node() ? 0 : 6));
  }
  CHECK(read.at("connections").size() == (w.one_node() ? 1 : 2));
  CHECK(read.at("memory_bytes") == w.near().memory_in_use());
  CHECK(read.at("retransmit_queue").empty());
  CHECK(read.at("send_queue").size() == (w.one_node() ? 0 : 1));
  CHECK(read.at("tcp_sockets").size() == (w.one_node() ? 0 : 1));
  auto const far = nlohmann::json::parse(w.far().to_json());
  REQUIRE(far.at("receive_queue").size() == 3);
  CHECK(far.at("receive_queue")[0].at("bytes") == 5);
  for (auto const& row : w.near().tables().connections) {
    if (row.peer != at(w.far_host)) continue;
    CHECK(row.local == at(w.near_host));
    CHECK(row.transport == (w.one_node() ? "loopback" : "tcp"));
    if (!w.one_node()) CHECK(row.acknowledged_by == "frames");
    CHECK(row.next_sent < w.near().sequence_mark() + 1);
  }
}

}  // namespace

TEST_CASE("the counters of known traffic are known") { in(every_way, counted_traffic); }
TEST_CASE("the JSON has every counter and table") { in(every_way, described); }

TEST_CASE("numbers go on above the mark that a node is given") {
  loop where;
  node_options told = on_tcp("127.0.0.1");
  told.sequence_mark = std::uint64_t{1} << 62;
  node on = open(where, told);
  CHECK(on.sequence_mark() > told.sequence_mark);
  block_on(where, on.close());
}
