// SPDX-License-Identifier: BSD-2-Clause
// What could go wrong: a handshake that a kernel does not take for one, or that makes it open paths which rdsco does not keep apart.
// How it is forced: the frames byte by byte, and announcements from none to 65535.
#include "protocol/multipath.hpp"

#include <catch2/catch.hpp>

#include "protocol/hex.hpp"
#include "protocol/kind.hpp"

using namespace rdsco::protocol;
using rdsco::test::array_from_hex;
using rdsco::test::to_hex;

TEST_CASE("probe and pong announce one path") {
  header const probe = make_probe();
  header const pong = make_probe_pong();
  CHECK(classify(probe, {}) == frame_kind::probe);
  CHECK(classify(pong, {}) == frame_kind::probe_pong);
  CHECK(to_hex(probe.extensions) == "05000100000000000000000000000000");
  CHECK(probe.extensions == pong.extensions);
  for (header const& h : {probe, pong}) {
    CHECK(h.sequence == 0);
    CHECK(h.length == 0);
    CHECK(h.flags == 0);
    CHECK(parse_offer(h).paths == 1);
    CHECK_FALSE(parse_offer(h).node);
    CHECK(parse_offer(h).generation == 0);
  }
}

TEST_CASE("the node extension goes along and comes back") {
  node_extension const node{1, node_feature::ack_frames, 0xdeadbeef};
  for (header const& h : {make_probe(node), make_probe_pong(node)}) {
    CHECK(to_hex(h.extensions) == "050001d50101deadbeef000000000000");
    CHECK(parse_offer(h).paths == 1);
    CHECK(parse_offer(h).node == node);
    CHECK(parse_offer(h).generation == 0xdeadbeef);
  }
}

TEST_CASE("announced paths are clamped, and none announced is none") {
  for (unsigned announced = 0; announced < 65536; ++announced) {
    auto const paths = clamp_paths(static_cast<std::uint16_t>(announced));
    REQUIRE(paths == (announced < 1 ? 1 : announced > 8 ? 8 : announced));
  }
  header h;
  h.destination_port = probe_port;
  CHECK_FALSE(parse_offer(h).paths);
}

TEST_CASE("an ordinary generation counts where there is no node extension") {
  header h = make_probe();
  h.extensions = array_from_hex<extension_bytes>("05000806123456780800000000000000");
  CHECK(parse_offer(h).paths == 8);
  CHECK(parse_offer(h).generation == 0x12345678);
  h.extensions = array_from_hex<extension_bytes>("0612345678d501000000000000000000");
  CHECK(parse_offer(h).generation == 0x12345678);
  h.extensions = array_from_hex<extension_bytes>("0612345678d501000000000900000000");
  CHECK(parse_offer(h).generation == 9);
}

TEST_CASE("a pong goes to the port of the ping") {
  header const pong = make_pong(5000);
  CHECK(classify(pong, {}) == frame_kind::pong);
  CHECK(pong.destination_port == 5000);
  CHECK(pong.length == 0);
}
