// SPDX-License-Identifier: BSD-2-Clause
// What could go wrong: a walk that reads past the area or loses step, a node extension that a kernel would read as something else.
// How it is forced: random areas against a walk written from the table, and the walk of a Linux 6.1 kernel over all that we build.
#include "protocol/extension.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <vector>

#include "protocol/hex.hpp"

using namespace rdsco::protocol;
using rdsco::test::array_from_hex;
using rdsco::test::to_hex;

namespace {

using area = std::array<std::byte, extension_bytes>;

area hex(std::string_view text) { return array_from_hex<extension_bytes>(text); }

std::vector<std::pair<int, std::string>> walk_of(area const& bytes) {
  std::vector<std::pair<int, std::string>> found;
  extension_walk walk{bytes};
  while (auto const e = walk.next()) found.emplace_back(static_cast<int>(e->type), to_hex(e->data));
  return found;
}

// What Linux 6.1 reads: unknown types below 16 have no data there.
std::vector<std::pair<int, std::string>> kernel_walk_of(area const& bytes) {
  constexpr std::array<std::size_t, 16> lengths{0, 4, 4, 8, 0, 2, 4};
  std::vector<std::pair<int, std::string>> found;
  for (std::size_t at = 0; at < 16;) {
    auto const type = std::to_integer<std::size_t>(bytes[at]);
    if (type == 0 || type >= 16 || at + 1 + lengths[type] > 16) break;
    found.emplace_back(static_cast<int>(type), to_hex(std::span{bytes}.subspan(at + 1, lengths[type])));
    at += 1 + lengths[type];
  }
  return found;
}

}  // namespace

TEST_CASE("an empty area has no extensions") {
  CHECK(walk_of(area{}).empty());
  CHECK(parse_extensions(area{}) == extension_values{});
  CHECK_FALSE(has_extensions(area{}));
}

TEST_CASE("known extensions are read in turn") {
  area const bytes = hex("05000806123456780800000000000000");
  CHECK(has_extensions(bytes));
  CHECK(walk_of(bytes) == std::vector<std::pair<int, std::string>>{{5, "0008"}, {6, "12345678"}});
  auto const values = parse_extensions(bytes);
  CHECK(values.path_count == 8);
  CHECK(values.generation == 0x12345678);
  CHECK_FALSE(values.node);
}

TEST_CASE("every typed value") {
  CHECK(parse_extensions(hex("01000003010000000000000000000000")).version == 0x301);
  CHECK(parse_extensions(hex("02123456780000000000000000000000")).rdma_key == 0x12345678);
  CHECK(parse_extensions(hex("0300a1b2c30000012300000000000000")).rdma_destination == rdma_cookie{0x00a1b2c3, 0x123});
  CHECK(parse_extensions(hex("05ffff00000000000000000000000000")).path_count == 0xffff);
  CHECK(parse_extensions(hex("06000000000000000000000000000000")).generation == 0);
}

TEST_CASE("an extension whose data would pass the area ends the walk") {
  CHECK(walk_of(hex("01000003010301020304050607080299")).size() == 2);
  // A list that fills all sixteen bytes needs no end mark.
  CHECK(walk_of(hex("05000105000205000305000405000505")).size() == 5);
  CHECK(walk_of(hex("01000000000100000000010000000005")).size() == 3);
}

TEST_CASE("the first unknown type ends the walk") {
  for (unsigned type = 0; type < 256; ++type) {
    area bytes = hex("05000100050002000000000000000000");
    bytes[3] = static_cast<std::byte>(type);
    bool const known = extension_data_bytes(static_cast<extension_type>(type)).has_value();
    CHECK((walk_of(bytes).size() > 1) == known);
  }
}

TEST_CASE("a walk that ended stays at its end") {
  area const bytes = hex("05000807000000000000000000000000");
  extension_walk walk{bytes};
  CHECK(walk.next());
  CHECK_FALSE(walk.next());
  CHECK(walk.position() == 3);
  CHECK_FALSE(walk.next());
  CHECK(walk.position() == 3);
}

TEST_CASE("of a type that occurs twice the last one counts") {
  CHECK(parse_extensions(hex("05000205000400000000000000000000")).path_count == 4);
}

TEST_CASE("random areas: same extensions as a kernel up to the first type that it does not know") {
  std::mt19937 random{4};
  for (int round = 0; round < 50000; ++round) {
    area bytes;
    for (auto& b : bytes) b = static_cast<std::byte>(random() % 8 == 0 ? 0xd5 : random() % 20);
    auto const ours = walk_of(bytes);
    auto const kernels = kernel_walk_of(bytes);
    REQUIRE(ours.size() <= kernels.size());
    REQUIRE(std::equal(ours.begin(), ours.end(), kernels.begin()));
    if (ours.size() < kernels.size()) {
      int const unknown = kernels[ours.size()].first;
      REQUIRE_FALSE(extension_data_bytes(static_cast<extension_type>(unknown)));
    }
    extension_values const values = parse_extensions(bytes);
    REQUIRE(values.node == find_node_extension(bytes));
  }
}

TEST_CASE("the node extension goes behind the path count, and a kernel sees the path count alone") {
  extension_list list;
  REQUIRE(list.append_path_count(1));
  REQUIRE(list.append_node({1, node_feature::ack_frames, 0xcafef00d}));
  CHECK(to_hex(list.bytes()) == "050001d50101cafef00d000000000000");
  CHECK_FALSE(list.needs_flag());
  CHECK(kernel_walk_of(list.bytes()) == std::vector<std::pair<int, std::string>>{{5, "0001"}});
  CHECK(find_node_extension(list.bytes()) == node_extension{1, 1, 0xcafef00d});
  auto const values = parse_extensions(list.bytes());
  CHECK(values.path_count == 1);
  CHECK(values.node == node_extension{1, 1, 0xcafef00d});
}

TEST_CASE("the node extension is found only where the ordinary walk ended") {
  node_extension const node{2, 3, 0x01020304};
  CHECK(find_node_extension(hex("d5020301020304000000000000000000")) == node);
  CHECK(find_node_extension(hex("0500010600000005d502030102030400")) == node);
  CHECK(find_node_extension(hex("050001050001050001d5020301020304")) == node);  // the last place it fits
  CHECK_FALSE(find_node_extension(hex("00d50203010203040000000000000000")));  // behind the end
  CHECK_FALSE(find_node_extension(hex("07d50203010203040000000000000000")));  // behind an unknown type
  CHECK_FALSE(find_node_extension(hex("10d50203010203040000000000000000")));  // behind a foreign private type
}

TEST_CASE("a node extension that is cut off or of version 0 is none") {
  CHECK_FALSE(find_node_extension(hex("01000000000100000000d50203010203")));
  CHECK_FALSE(find_node_extension(hex("010000000001000000000100000000d5")));
  CHECK_FALSE(find_node_extension(hex("d5000301020304000000000000000000")));
}

TEST_CASE("what is built is what is read") {
  extension_list list;
  REQUIRE(list.append_rdma(0x12345678));
  REQUIRE(list.append_rdma_destination({0x00a1b2c3, 0x123}));
  CHECK(list.needs_flag());
  auto const values = parse_extensions(list.bytes());
  CHECK(values.rdma_key == 0x12345678);
  CHECK(values.rdma_destination == rdma_cookie{0x00a1b2c3, 0x123});
  extension_list other;
  REQUIRE(other.append_version(0x301));
  REQUIRE(other.append_generation(7));
  CHECK(to_hex(other.bytes()) == "01000003010600000007000000000000");
}

TEST_CASE("what does not fit is refused and changes nothing") {
  extension_list list;
  REQUIRE(list.append_rdma_destination({1, 2}));
  REQUIRE(list.append_version(3));
  auto const before = list.bytes();
  CHECK_FALSE(list.append_path_count(1));
  CHECK_FALSE(list.append_node({}));
  CHECK(list.bytes() == before);
  CHECK(walk_of(list.bytes()).size() == 2);
}

TEST_CASE("a full list takes nothing more") {
  extension_list list;
  for (std::uint16_t i = 0; i < 3; ++i) REQUIRE(list.append_path_count(i));
  REQUIRE(list.append_node({1, 0, 1}));  // nine and seven bytes
  CHECK(find_node_extension(list.bytes()) == node_extension{1, 0, 1});
  CHECK_FALSE(list.append(extension_type::path_count, {}));
}

TEST_CASE("nothing follows the node extension, and it has a version") {
  extension_list list;
  CHECK_FALSE(list.append_node({0, 1, 2}));
  REQUIRE(list.append_node({1, 1, 2}));
  CHECK_FALSE(list.append_path_count(1));
  CHECK_FALSE(list.append_node({1, 1, 2}));
}

TEST_CASE("a type without a known length and data of a wrong length are refused") {
  std::array<std::byte, 4> const four{};
  for (unsigned type = 0; type < 256; ++type) {
    auto const expected = extension_data_bytes(static_cast<extension_type>(type));
    extension_list fresh;
    CHECK(fresh.append(static_cast<extension_type>(type), four) == (expected == 4u));
    if (expected != 4u) CHECK(fresh.bytes() == area{});
  }
}

TEST_CASE("an operation and an offer of memory, with what an rdsco node says of it, fill the area; a kernel sees the first two") {
  extension_list list;
  REQUIRE(list.append_rdma(0x01020304));
  REQUIRE(list.append_rdma_destination({0x11121314, 0x21222324}));
  REQUIRE(list.append_offer_flags(offer_flag::ends_with_send));
  CHECK(to_hex(list.bytes()) == "0201020304031112131421222324d701");
  CHECK(kernel_walk_of(list.bytes()) == std::vector<std::pair<int, std::string>>{{2, "01020304"}, {3, "1112131421222324"}});
  auto const values = parse_extensions(list.bytes());
  CHECK(values.rdma_key == 0x01020304u);
  CHECK(values.rdma_destination == rdma_cookie{0x11121314, 0x21222324});
  CHECK(values.offer_flags == 1);
  CHECK_FALSE(values.wide_destination);
}

TEST_CASE("a wide offer has 48 bits of address, and fits behind an operation") {
  extension_list list;
  REQUIRE(list.append_rdma(0x01020304));
  CHECK_FALSE(list.append_wide_destination({1, wide_address_max + 1}));
  REQUIRE(list.append_wide_destination({0x11121314, 0x7fee'dead'beef}));
  CHECK_FALSE(list.append_offer_flags(1));
  CHECK(to_hex(list.bytes()) == "0201020304d6111213147feedeadbeef");
  CHECK(kernel_walk_of(list.bytes()) == std::vector<std::pair<int, std::string>>{{2, "01020304"}});
  auto const values = parse_extensions(list.bytes());
  CHECK(values.wide_destination == wide_cookie{0x11121314, 0x7fee'dead'beef});
  CHECK_FALSE(values.offer_flags);
}
