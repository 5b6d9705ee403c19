// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: tables that say the wrong GID, or nothing of a connection that does not come about; columns that scripts cannot cut.
// Forced by: adapters with every kind of GID table, connections in each stage, and the text of `rdsco info` from a node's JSON.

#include "tools/info_verbs.hpp"
#include "verbs/faulty_exchange.hpp"
#include "verbs/gid_choice.hpp"
#include "verbs/status.hpp"

#include <cstring>

namespace {

using namespace rdsco;
using namespace rdsco::test;
using nlohmann::ordered_json;

address const near_host = at("10.0.0.1");
address const far_host = at("10.0.0.2");

ibv_gid_entry gid(unsigned index, ibv_gid_type type, address const& of, unsigned port = 1) {
  ibv_gid_entry made{};
  std::memcpy(made.gid.raw, of.bytes().data(), sizeof made.gid.raw);
  made.gid_index = index;
  made.gid_type = type;
  made.port_num = port;
  return made;
}

verbs::gid_choice chosen(std::vector<ibv_gid_entry> const& of, address const& by, std::uint8_t port = 1) { return verbs::choose_gid(of, port, by); }

task<> one_sent(two_on_fabric& w) {
  auto const payload = pattern(0, 100);
  auto const sent = co_await with_timeout(patience, w.from.send_to(payload, w.into.local(), until::acknowledged));
  REQUIRE(!sent.ec);
}

bool holds(std::string const& text, std::string const& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("the GID that carries the address is chosen, version 2 before version 1, and the others are named") {
  auto const link_local = at("fe80::1");
  std::vector<ibv_gid_entry> const table{gid(3, IBV_GID_TYPE_ROCE_V2, near_host), gid(0, IBV_GID_TYPE_ROCE_V1, link_local),
                                         gid(1, IBV_GID_TYPE_ROCE_V2, link_local), gid(2, IBV_GID_TYPE_ROCE_V1, near_host),
                                         gid(0, IBV_GID_TYPE_ROCE_V2, near_host, 2)};
  auto const made = chosen(table, near_host);
  REQUIRE(made.chosen);
  CHECK(made.chosen->gid_index == 3);
  CHECK(made.why == "carries 10.0.0.1, and version 2 comes before version 1; 3 others: gid 0 (RoCE v1), gid 1 (RoCE v2), gid 2 (RoCE v1)");
  CHECK(chosen(table, near_host, 2).why == "carries 10.0.0.1");
  CHECK(chosen(table, at("fd00::1")).chosen == std::nullopt);
  CHECK(chosen(table, far_host).why == "no gid of the port carries 10.0.0.2; it has gid 0 (RoCE v1), gid 1 (RoCE v2), gid 2 (RoCE v1), gid 3 (RoCE v2)");
  CHECK(chosen({}, far_host).why == "no gid of the port carries 10.0.0.2; it has none");
  CHECK(chosen(table, near_host, 3).why == "no gid of the port carries 10.0.0.1; it has none");
}

TEST_CASE("of equal GIDs the first, of version 1 alone that, and InfiniBand's whatever the address is") {
  auto const made = chosen({gid(5, IBV_GID_TYPE_ROCE_V1, near_host), gid(4, IBV_GID_TYPE_ROCE_V1, near_host)}, near_host);
  CHECK(made.chosen->gid_index == 4);
  CHECK(made.why == "carries 10.0.0.1; 1 other: gid 5 (RoCE v1)");
  auto const of_subnet = chosen({gid(1, IBV_GID_TYPE_IB, at("fe80::2")), gid(0, IBV_GID_TYPE_IB, at("fe80::1"))}, near_host);
  CHECK(of_subnet.chosen->gid_index == 0);
  CHECK(of_subnet.why == "the first of the port; 1 other: gid 1 (IB)");
  std::vector<ibv_gid_entry> many;
  for (unsigned index = 0; index < 6; ++index) many.push_back(gid(index, IBV_GID_TYPE_ROCE_V2, at("fe80::1")));
  CHECK(holds(chosen(many, near_host).why, "gid 3 (RoCE v2) and more"));
  CHECK(verbs::gid_text(many[0].gid) == "fe80::1");
  CHECK(verbs::gid_text(gid(0, IBV_GID_TYPE_ROCE_V2, near_host).gid) == "::ffff:10.0.0.1");
}

TEST_CASE("the tables say where an address lies, and how a connection leaves") {
  two_on<fake_ib> w(quick());
  block_on(w.where, one_sent(w));
  auto const now = w.near.tables();
  REQUIRE(now.verbs_addresses.size() == 1);
  auto const& own = now.verbs_addresses[0];
  CHECK(own.at == near_host);
  CHECK(own.device == "fake0");
  CHECK(own.port == 1);
  CHECK(own.gid_index == 2);
  CHECK(own.gid == "::ffff:10.0.0.1");
  CHECK(own.gid_type == "RoCE v2");
  CHECK(holds(own.why, "carries 10.0.0.1"));
  REQUIRE(now.ib_connections.size() == 1);
  auto const& row = now.ib_connections[0];
  CHECK(row.local == near_host);
  CHECK(row.peer == far_host);
  CHECK(row.stage == "up");
  CHECK(row.version == "3.1");
  CHECK(row.connected_by_us);
  CHECK(row.service_level == 3);
  CHECK(row.local_gid == "::ffff:10.0.0.1");
  CHECK(row.peer_gid == "::ffff:10.0.0.2");
  CHECK(row.gid_index == 2);
  CHECK(row.gid_type == "RoCE v2");
  CHECK(row.note.empty());
  CHECK(row.sends == 128);
  CHECK(row.receives == 256);
  CHECK(!row.credits);
  CHECK(row.trouble.empty());
  CHECK_FALSE(w.far.tables().ib_connections.at(0).connected_by_us);
}

TEST_CASE("a connection that leaves by another GID than was to be expected") {
  two_on<fake_ib> w(quick());
  w.fabric.gid_index = 1;
  block_on(w.where, one_sent(w));
  auto const row = w.near.tables().ib_connections.at(0);
  CHECK(row.gid_type == "RoCE v1");
  CHECK(holds(row.note, "gid 1 (RoCE v1)"));
  CHECK(holds(row.note, "gid 2 (RoCE v2) was expected"));
  // Without a global route, and of a table that has changed, nothing is claimed.
  for (int const index : {-1, 77}) {
    w.fabric.gid_index = index;
    auto const other = w.near.tables().ib_connections.at(0);
    CHECK(other.gid_type.empty());
    CHECK(other.note.empty());
    CHECK(other.gid_index == index);
  }
}

TEST_CASE("an adapter that tells no GIDs, and one that is out") {
  two_on<fake_ib> w(quick());
  w.fabric.on_gids = [](std::vector<ibv_gid_entry>& gids) { gids.clear(); };
  CHECK(holds(w.near.tables().verbs_addresses.at(0).why, "it has none"));
  w.fabric.on_gids = [](std::vector<ibv_gid_entry>& gids) { gids.resize(5000); };
  CHECK(w.near.tables().verbs_addresses.at(0).gid_index == -1);
  w.fabric.remove_device(near_host);
  REQUIRE(comes_true(w.where, [&] { return w.near.tables().verbs_addresses.at(0).device.empty(); }));
  CHECK(holds(w.near.tables().verbs_addresses.at(0).why, "no adapter"));
  w.fabric.restore_device(near_host);
}

TEST_CASE("iWARP has credits and no GIDs") {
  two_on<fake_iwarp> w(quick());
  block_on(w.where, one_sent(w));
  auto const now = w.near.tables();
  auto const& row = now.ib_connections.at(0);
  CHECK(row.transport == "iwarp");
  CHECK(row.local_gid.empty());
  CHECK(row.gid_index == -1);
  REQUIRE(row.credits);
  CHECK(*row.credits > 0);
  CHECK(*row.credits <= 256);
  CHECK(row.credits_to_tell);
  CHECK(now.verbs_addresses.at(0).gid_index == -1);
}

TEST_CASE("the stages of a connection that does not come about, and why") {
  two_on<fake_ib> w(quick());
  w.fabric.cut(near_host, far_host, true);
  REQUIRE(!w.from.try_send_to(pattern(0, 10), w.into.local()));
  REQUIRE(comes_true(w.where, [&] { return w.near.tables().ib_connections.at(0).stage == "asking"; }));
  auto const row = w.near.tables().ib_connections.at(0);
  CHECK(row.version.empty());
  CHECK(row.receives == 256);
  REQUIRE(comes_true(w.where, [&] { return !w.near.tables().ib_connections.at(0).trouble.empty(); }));
  REQUIRE(comes_true(w.where, [&] { return w.near.tables().ib_connections.at(0).stage == "down"; }));
  auto const told = ordered_json::parse(w.near.to_json());
  auto const text = tools::trouble_table(told["connections"]);
  CHECK(holds(text, "\nRDS Connections that are down:\n      LocalAddr      RemoteAddr  Tos  Why\n       10.0.0.1        10.0.0.2    0  "));
  CHECK(holds(text, make_error_code(errc::timed_out).message()));
  w.fabric.cut(near_host, far_host, false);
}

TEST_CASE("what an adapter's maker calls the end of a connection is kept until there is another") {
  two_on<fake_ib> w(quick());
  block_on(w.where, one_sent(w));
  CHECK(w.near.tables().ib_connections.at(0).vendor_error == 0);
  w.fabric.break_connections(near_host, far_host, IBV_WC_LOC_PROT_ERR);
  REQUIRE(comes_true(w.where, [&] { return w.near.tables().ib_connections.at(0).vendor_error == 0x81; }));
  auto const told = ordered_json::parse(w.near.to_json());
  CHECK(holds(tools::ib_table(told["ib_connections"], false), "       10.0.0.1        10.0.0.2    0  vendor error 0x81: " + verbs::code_of(IBV_WC_LOC_PROT_ERR).message()));
  block_on(w.where, one_sent(w));
  CHECK(w.near.tables().ib_connections.at(0).vendor_error == 0);
}

TEST_CASE("the text of the tables has the columns of rds-info, and more on request") {
  two_on<fake_iwarp> warp(quick());
  block_on(warp.where, one_sent(warp));
  auto const of_warp = ordered_json::parse(warp.near.to_json());
  CHECK(holds(tools::ib_table(of_warp["ib_connections"], true), "   iwarp      fake0    0             -     3.1 "));
  CHECK(tools::trouble_table(of_warp["connections"]).empty());
  two_on<fake_ib> w(quick());
  w.fabric.gid_index = 1;
  block_on(w.where, one_sent(w));
  auto const told = ordered_json::parse(w.near.to_json());
  auto const table = tools::ib_table(told["ib_connections"], false);
  CHECK(holds(table, "\nRDS IB Connections:\n"
                     "      LocalAddr      RemoteAddr  Tos  SL                         LocalDev                        RemoteDev\n"
                     "       10.0.0.1        10.0.0.2    0   3                  ::ffff:10.0.0.1                  ::ffff:10.0.0.2\n"));
  CHECK(holds(table, "       10.0.0.1        10.0.0.2    0  the connection manager took gid 1 (RoCE v1)"));
  auto const verbose = tools::ib_table(told["ib_connections"], true);
  CHECK(holds(verbose, " send_wr recv_wr send_sge Transport     Device Port           Gid Version Credits  ToTell  Stage\n"));
  CHECK(holds(verbose, "     128     256        1        ib      fake0    1   1 (RoCE v1)     3.1       -       -  up\n"));
  CHECK(holds(tools::verbs_address_table(told["verbs_addresses"]),
              "\nRDS Verbs Addresses:\n      LocalAddr Transport     Device Port           Gid  Why\n"
              "       10.0.0.1        ib      fake0    1   2 (RoCE v2)  carries 10.0.0.1"));
}
