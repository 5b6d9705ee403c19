// SPDX-License-Identifier: BSD-2-Clause
// What could go wrong: a field at a wrong offset or in host order, a checksum that differs from RFC 1071 in a carry or a zero.
// How it is forced: headers with a different byte everywhere, random headers, and a checksum written the slow way beside ours.
#include "protocol/header.hpp"

#include <catch2/catch.hpp>
#include <random>

#include "protocol/checksum.hpp"
#include "protocol/hex.hpp"

using namespace rdsco::protocol;
using rdsco::test::to_hex;

namespace {

using frame = std::array<std::byte, header_bytes>;

frame random_frame(std::mt19937_64& random) {
  frame f;
  for (auto& b : f) b = static_cast<std::byte>(random());
  return f;
}

std::uint16_t word(frame const& f, std::size_t at) {
  return static_cast<std::uint16_t>(std::to_integer<unsigned>(f[at]) << 8 | std::to_integer<unsigned>(f[at + 1]));
}

// Straight from the definition: sum of big-endian words with end-around carry, the checksum's own word left out.
std::uint16_t slow_checksum(frame const& f) {
  std::uint32_t sum = 0;
  for (std::size_t at = 0; at < header_bytes; at += 2) {
    if (at == offset::checksum) continue;
    sum += word(f, at);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return static_cast<std::uint16_t>(~sum);
}

}  // namespace

TEST_CASE("each field of a header has its place") {
  header h;
  h.sequence = 0x0102030405060708;
  h.ack = 0x1112131415161718;
  h.length = 0x21222324;
  h.source_port = 0x3132;
  h.destination_port = 0x4142;
  h.flags = 0x51;
  h.credit = 0x61;
  h.checksum = 0x7172;
  for (std::size_t i = 0; i < extension_bytes; ++i) h.extensions[i] = static_cast<std::byte>(0x80 + i);
  frame f;
  f.fill(std::byte{0xee});
  encode(h, f);
  CHECK(to_hex(f) ==
        "0102030405060708" "1112131415161718" "21222324" "3132" "4142" "51" "61" "00000000" "7172"
        "808182838485868788898a8b8c8d8e8f");
  CHECK(decode(f) == h);
}

TEST_CASE("a header is all zeros until something is set") {
  frame f;
  f.fill(std::byte{0xee});
  encode(header{}, f);
  CHECK(f == frame{});
}

TEST_CASE("padding is not looked at and goes out as zero") {
  std::mt19937_64 random{1};
  for (int round = 0; round < 1000; ++round) {
    frame in = random_frame(random);
    frame out;
    encode(decode(in), out);
    for (std::size_t at = offset::padding; at < offset::checksum; ++at) in[at] = std::byte{0};
    REQUIRE(out == in);
  }
}

TEST_CASE("a message may be as long as the limit and no longer") {
  header h;
  h.length = max_message_bytes;
  CHECK(length_acceptable(h));
  ++h.length;
  CHECK_FALSE(length_acceptable(h));
  h.length = 0xffffffff;
  CHECK_FALSE(length_acceptable(h));
  h.length = 1000;
  CHECK(length_acceptable(h, 1000));
  CHECK_FALSE(length_acceptable(h, 999));
}

TEST_CASE("a congestion map is acceptable under a small limit, a larger one is not") {
  header h;
  h.flags = flag::congestion_bitmap;
  h.length = congestion_map_bytes;
  CHECK(length_acceptable(h, 100));
  ++h.length;
  CHECK_FALSE(length_acceptable(h, 100));
  CHECK(length_acceptable(h));
  h.length = max_message_bytes + 1;
  CHECK_FALSE(length_acceptable(h));
}

TEST_CASE("the checksum is that of RFC 1071") {
  std::mt19937_64 random{2};
  for (int round = 0; round < 20000; ++round) {
    frame f = random_frame(random);
    REQUIRE(make_checksum(f) == slow_checksum(f));
    seal<checksum_rule::always>(f);
    REQUIRE(checksum_ok(f));
    REQUIRE(decode(f).checksum == make_checksum(f));
  }
}

TEST_CASE("any single wrong bit breaks a checksum") {
  std::mt19937_64 random{3};
  frame f = random_frame(random);
  seal<checksum_rule::always>(f);
  REQUIRE(decode(f).checksum != 0);
  for (std::size_t bit = 0; bit < header_bytes * 8; ++bit) {
    frame broken = f;
    broken[bit / 8] ^= std::byte{1} << (bit % 8);
    bool const now_unchecked = decode(broken).checksum == 0;
    CHECK((now_unchecked || !checksum_ok(broken)));
    CHECK(intact<checksum_rule::none>(broken));
  }
}

TEST_CASE("both zeros of the checksum") {
  frame f{};
  CHECK(make_checksum(f) == 0xffff);
  CHECK(checksum_ok(f));  // nothing but zeros counts as unchecked
  f[0] = f[1] = std::byte{0xff};
  CHECK(make_checksum(f) == 0);
  seal<checksum_rule::always>(f);
  CHECK(checksum_ok(f));
  f.fill(std::byte{0xff});
  CHECK(make_checksum(f) == 0);
  CHECK(checksum_ok(f));
}

TEST_CASE("TCP sends no checksum, whatever stood there, and verifies none") {
  frame f;
  f.fill(std::byte{0x11});
  CHECK_FALSE(checksum_ok(f));
  CHECK(intact<checksum_rule::none>(f));
  CHECK_FALSE(intact<checksum_rule::always>(f));
  seal<checksum_rule::none>(f);
  CHECK(decode(f).checksum == 0);
  CHECK(intact<checksum_rule::always>(f));
}
