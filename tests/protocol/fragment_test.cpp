// SPDX-License-Identifier: BSD-2-Clause
// What could go wrong: a fragment put into the wrong message or place, or bytes delivered that were never sent.
// How it is forced: messages of all sizes around the fragment size, and every kind of wrong frame at every place in one.
#include "protocol/fragment.hpp"

#include <catch2/catch.hpp>
#include <set>
#include <vector>

#include "protocol/checksum.hpp"

using namespace rdsco::protocol;
using verdict = fragment_verdict;

namespace {

header message(std::uint32_t length, std::uint64_t sequence = 7) {
  header h;
  h.sequence = sequence;
  h.length = length;
  h.source_port = 4000;
  h.destination_port = 5000;
  return h;
}

std::vector<std::byte> frame(header const& h, std::size_t payload) {
  std::vector<std::byte> bytes(header_bytes + payload);
  auto const head = std::span{bytes}.first<header_bytes>();
  encode(h, head);
  seal<checksum_rule::always>(head);
  return bytes;
}

std::vector<std::byte> ack(std::uint64_t number) {
  header h;
  h.ack = number;
  return frame(h, 0);
}

}  // namespace

TEST_CASE("messages of all sizes around the fragment size") {
  fragment_assembly in;
  for (std::uint32_t const length : {0u, 1u, 4095u, 4096u, 4097u, 8191u, 8192u, 8193u, 10000u, max_message_bytes}) {
    header const h = message(length, length + 1);
    std::uint32_t const count = fragments_of(length);
    std::uint32_t at = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
      std::uint32_t const size = fragment_size(length, at);
      auto const answer = in.admit(frame(h, size));
      REQUIRE(answer == (i + 1 == count ? verdict::complete : i == 0 ? verdict::first_of_more : verdict::more));
      REQUIRE(in.offset() == at);
      at += size;
    }
    CHECK(at == length);
    CHECK(in.first().sequence == length + 1);
    CHECK_FALSE(in.in_progress());
  }
}

TEST_CASE("counts of fragments") {
  CHECK(fragments_of(0) == 1);
  CHECK(fragments_of(4096) == 1);
  CHECK(fragments_of(4097) == 2);
  CHECK(fragments_of(10000) == 3);
  CHECK(fragments_of(max_message_bytes) == 256);
  CHECK(fragments_of(0xffffffff) == 1048576);
}

TEST_CASE("acknowledgements may come between the fragments of a message") {
  fragment_assembly in;
  header const h = message(10000);
  REQUIRE(in.admit(frame(h, 4096)) == verdict::first_of_more);
  REQUIRE(in.admit(ack(41)) == verdict::ack_only);
  CHECK(in.last().ack == 41);
  REQUIRE(in.admit(frame(h, 4096)) == verdict::more);
  CHECK(in.offset() == 4096);
  REQUIRE(in.admit(ack(42)) == verdict::ack_only);
  REQUIRE(in.admit(frame(h, 1808)) == verdict::complete);
  CHECK(in.first().sequence == 7);
}

TEST_CASE("the flags of a message are those of its first fragment, the acknowledgement is that of each frame") {
  fragment_assembly in;
  header h = message(5000);
  h.flags = flag::ack_required;
  h.ack = 1;
  REQUIRE(in.admit(frame(h, 4096)) == verdict::first_of_more);
  h.flags = 0;
  h.ack = 2;
  REQUIRE(in.admit(frame(h, 904)) == verdict::complete);
  CHECK(in.first().flags == flag::ack_required);
  CHECK(in.last().ack == 2);
}

TEST_CASE("a frame shorter than a header") {
  for (std::size_t size = 0; size < header_bytes; ++size) {
    fragment_assembly in;
    auto bytes = frame(message(0), 0);
    bytes.resize(size);
    bytes.shrink_to_fit();
    CHECK(in.admit(bytes) == verdict::too_short);
  }
}

TEST_CASE("a checksum that does not match, and one of zero") {
  fragment_assembly in;
  auto bytes = frame(message(5), 5);
  bytes[offset::checksum] ^= std::byte{1};
  CHECK(in.admit(bytes) == verdict::bad_checksum);
  bytes[offset::checksum] = bytes[offset::checksum + 1] = std::byte{0};
  CHECK(in.admit(bytes) == verdict::complete);
}

TEST_CASE("a message that is too long is refused at its first fragment") {
  fragment_assembly in;
  CHECK(in.admit(frame(message(max_message_bytes + 1), 4096)) == verdict::too_long);
  CHECK(in.admit(frame(message(0xffffffff), 4096)) == verdict::too_long);
  CHECK(in.admit(frame(message(101), 101), 100) == verdict::too_long);
  CHECK(in.admit(frame(message(100), 100), 100) == verdict::complete);
}

TEST_CASE("a fragment of another message") {
  for (int field = 0; field < 4; ++field) {
    fragment_assembly in;
    REQUIRE(in.admit(frame(message(5000), 4096)) == verdict::first_of_more);
    header other = message(5000);
    if (field == 0) ++other.sequence;
    if (field == 1) --other.length;
    if (field == 2) ++other.source_port;
    if (field == 3) ++other.destination_port;
    CHECK(in.admit(frame(other, 904)) == verdict::mismatch);
  }
}

TEST_CASE("a payload larger or smaller than its place in the message wants") {
  for (std::size_t const size : {0u, 1u, 4095u, 4097u, 5000u}) {
    fragment_assembly in;
    CHECK(in.admit(frame(message(5000), size)) == verdict::wrong_size);
  }
  for (std::size_t const size : {0u, 903u, 905u, 4096u}) {
    fragment_assembly in;
    REQUIRE(in.admit(frame(message(5000), 4096)) == verdict::first_of_more);
    CHECK(in.admit(frame(message(5000), size)) == verdict::wrong_size);
  }
  fragment_assembly in;
  CHECK(in.admit(frame(message(0), 5)) == verdict::wrong_size);
}

TEST_CASE("ports of zero are an acknowledgement only without payload and without an announced one") {
  fragment_assembly in;
  header h;
  h.length = 100;
  CHECK(in.admit(frame(h, 0)) == verdict::wrong_size);
  in.reset();
  CHECK(in.admit(frame(h, 100)) == verdict::complete);
  CHECK(classify(in.first(), {true}) == frame_kind::ignored);
}

TEST_CASE("a new connection forgets a partial message") {
  fragment_assembly in;
  REQUIRE(in.admit(frame(message(5000), 4096)) == verdict::first_of_more);
  CHECK(in.in_progress());
  in.reset();
  CHECK_FALSE(in.in_progress());
  CHECK(in.admit(frame(message(5, 8), 5)) == verdict::complete);
}

TEST_CASE("verdicts that reset are named, and no others reset") {
  std::set<std::string_view> names;
  for (int v = 0; v <= static_cast<int>(verdict::wrong_size); ++v) {
    names.insert(to_string(static_cast<verdict>(v)));
    CHECK(must_reset(static_cast<verdict>(v)) == (v > static_cast<int>(verdict::ack_only)));
  }
  CHECK(names.size() == 9);
}
