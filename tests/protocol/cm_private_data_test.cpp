// SPDX-License-Identifier: BSD-2-Clause
// What could go wrong: a field read behind the end, or a version answered that the peer does not speak.
// How it is forced: every length from 0 up, every version and mask, and a different value in each field.
#include "protocol/cm_private_data.hpp"

#include <catch2/catch.hpp>
#include <vector>

#include "protocol/hex.hpp"

using namespace rdsco::protocol;
using rdsco::test::to_hex;

namespace {

cm_private_data full() {
  cm_private_data data;
  data.source = map_v4(192, 168, 1, 10);
  data.destination = map_v4(192, 168, 1, 20);
  data.version = {3, 1};
  data.minor_mask = 0x0203;
  data.type_of_service = 5;
  data.fragment_size = 0x1000;
  data.ack = 0x0102030405060708;
  data.initial_credit = 0x11121314;
  data.life = 0x2122;
  data.ack_life = 0x3132;
  return data;
}

}  // namespace

TEST_CASE("each field of the IPv4 form has its place") {
  std::array<std::byte, cm_private_v4_bytes> wire;
  wire.fill(std::byte{0xee});
  encode_v4(full(), wire);
  CHECK(to_hex(wire) == "c0a8010a" "c0a80114" "03" "01" "0203" "05" "00" "1000" "0102030405060708" "11121314" "21223132");
  CHECK(decode_cm(address_family::v4, wire) == full());
}

TEST_CASE("each field of the IPv6 form has its place") {
  cm_private_data data = full();
  for (std::size_t i = 0; i < 16; ++i) {
    data.source[i] = static_cast<std::byte>(0x20 + i);
    data.destination[i] = static_cast<std::byte>(0x40 + i);
  }
  std::array<std::byte, cm_private_v6_bytes> wire;
  wire.fill(std::byte{0xee});
  encode_v6(data, wire);
  CHECK(to_hex(wire) ==
        "202122232425262728292a2b2c2d2e2f" "404142434445464748494a4b4c4d4e4f"
        "03" "01" "0203" "05" "00" "1000" "0102030405060708" "11121314" "21223132");
  CHECK(decode_cm(address_family::v6, wire) == data);
}

TEST_CASE("too short is nothing; without or with more padding it is the same, but for what rdsco has there") {
  std::vector<std::byte> wire(196);
  encode_v4(full(), std::span{wire}.first<cm_private_v4_bytes>());
  for (std::size_t size = 0; size <= wire.size(); ++size) {
    std::vector<std::byte> const exact(wire.begin(), wire.begin() + static_cast<std::ptrdiff_t>(size));
    auto const read = decode_cm(address_family::v4, exact);
    REQUIRE(read.has_value() == (size >= 28));
    cm_private_data expected = full();
    if (size < 32) expected.life = expected.ack_life = 0;
    if (read) REQUIRE(*read == expected);
    REQUIRE(decode_cm(address_family::v6, exact).has_value() == (size >= 52));
  }
}

TEST_CASE("zeros are no private data") {
  std::vector<std::byte> const zeros(56);
  auto const read = decode_cm(address_family::v4, zeros);
  REQUIRE(read);
  CHECK_FALSE(has_content(*read));
  CHECK(has_content(full()));
}

TEST_CASE("versions that are answered") {
  for (unsigned major = 0; major < 256; ++major) {
    for (unsigned minor = 0; minor < 256; ++minor) {
      for (std::uint16_t mask = 0; mask < 8; ++mask) {
        cm_private_data request = full();
        request.version = {static_cast<std::uint8_t>(major), static_cast<std::uint8_t>(minor)};
        request.minor_mask = mask;
        std::optional<protocol_version> expected;
        if (major == 0) expected = protocol_version{4, 0};
        if (major == 3 && minor == 1) expected = protocol_version{3, 1};
        if (major == 4 && (mask & 2) != 0) expected = protocol_version{4, 1};
        if (major == 4 && (mask & 3) == 1) expected = protocol_version{4, 0};
        REQUIRE(choose_version(request) == expected);
      }
    }
  }
}

TEST_CASE("a version 4 peer with fragments of another size is refused") {
  cm_private_data request = full();
  request.version = {4, 1};
  for (auto const& [size, accepted] : {std::pair{0, true}, {4096, true}, {16384, false}, {1, false}}) {
    request.fragment_size = static_cast<std::uint16_t>(size);
    CHECK(choose_version(request).has_value() == accepted);
    CHECK(version_of_reply(request).has_value() == accepted);
  }
}

TEST_CASE("versions that are taken from a reply") {
  for (unsigned major = 0; major < 256; ++major) {
    for (unsigned minor = 0; minor < 256; ++minor) {
      cm_private_data reply = full();
      reply.version = {static_cast<std::uint8_t>(major), static_cast<std::uint8_t>(minor)};
      std::optional<protocol_version> expected;
      if (major == 0) expected = protocol_version{4, 1};
      if ((major == 3 && minor == 1) || (major == 4 && minor <= 1)) expected = reply.version;
      REQUIRE(version_of_reply(reply) == expected);
    }
  }
}

TEST_CASE("a life is told by a number that is never 0") {
  CHECK(life_of(1) == 2);
  CHECK(life_of(65534) == 65535);
  CHECK(life_of(65535) == 1);
  CHECK(life_of(~0u) == 1);
}

TEST_CASE("the minor versions that go with a proposal") {
  CHECK(minor_mask_of({3, 1}) == 3);
  CHECK(minor_mask_of({4, 0}) == 1);
  CHECK(minor_mask_of({4, 1}) == 3);
}
