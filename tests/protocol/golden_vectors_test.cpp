// SPDX-License-Identifier: BSD-2-Clause
// What could go wrong: our frames differ from those of Linux in a byte, or we take something that Linux would not have sent.
// How it is forced: 59 vectors that were computed independently; each must decode to its fields, encode to its bytes, or be refused as it says.
#include <bit>
#include <catch2/catch.hpp>
#include <cstring>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "protocol/checksum.hpp"
#include "protocol/cm_private_data.hpp"
#include "protocol/congestion_map.hpp"
#include "protocol/extension.hpp"
#include "protocol/fragment.hpp"
#include "protocol/hex.hpp"
#include "protocol/kind.hpp"
#include "protocol/multipath.hpp"
#include "protocol/sequence.hpp"

using namespace rdsco::protocol;
using nlohmann::json;
using rdsco::test::from_hex;
using rdsco::test::to_hex;

namespace {

using bytes = std::vector<std::byte>;

json const& vectors() {
  static json const all = [] {
    std::ifstream file(RDSCO_TEST_DATA "/golden-vectors.json");
    REQUIRE(file);
    return json::parse(file).at("vectors");
  }();
  return all;
}

bool is_negative(json const& v) { return v.value("neg", false); }

bytes bytes_of(json const& v) {
  bytes raw = from_hex(v.at("hex").get<std::string>());
  REQUIRE(raw.size() == v.at("length").get<std::size_t>());
  return raw;
}

bytes bytes_named(std::string const& name) {
  for (json const& v : vectors()) {
    if (v.at("name") == name) return bytes_of(v);
  }
  FAIL("no vector " << name);
  return {};
}

std::span<std::byte const, header_bytes> head_of(bytes const& raw) { return std::span{raw}.first<header_bytes>(); }

header header_of(std::string const& name) { return decode(head_of(bytes_named(name))); }

std::uint16_t hex_field(json const& fields, char const* name) {
  return static_cast<std::uint16_t>(std::stoul(fields.at(name).get<std::string>(), nullptr, 16));
}

void check_fields(header const& h, json const& fields) {
  CHECK(h.sequence == fields.at("h_sequence").get<std::uint64_t>());
  CHECK(h.ack == fields.at("h_ack").get<std::uint64_t>());
  CHECK(h.length == fields.at("h_len").get<std::uint32_t>());
  CHECK(h.source_port == fields.at("h_sport").get<std::uint16_t>());
  CHECK(h.destination_port == fields.at("h_dport").get<std::uint16_t>());
  CHECK(h.flags == fields.at("h_flags").get<std::uint8_t>());
  CHECK(h.credit == fields.at("h_credit").get<std::uint8_t>());
  CHECK(h.checksum == hex_field(fields, "h_csum"));
  CHECK(to_hex(h.extensions) == fields.at("h_exthdr").get<std::string>());
}

void check_same_bytes(header const& h, bytes const& raw) {
  std::array<std::byte, header_bytes> again;
  encode(h, again);
  CHECK(to_hex(again) == to_hex(head_of(raw)));
}

// Linux walks on past types that it does not know; up to there both see the same.
void check_extensions(header const& h, json const& seen_by_linux) {
  extension_walk walk{h.extensions};
  for (json const& expected : seen_by_linux) {
    auto const type = static_cast<extension_type>(expected.at("type").get<unsigned>());
    auto const found = walk.next();
    REQUIRE(found.has_value() == extension_data_bytes(type).has_value());
    if (!found) return;
    CHECK(found->type == type);
    CHECK(to_hex(found->data) == expected.at("data").get<std::string>());
  }
  CHECK_FALSE(walk.next());
}

void check_header_vector(json const& v) {
  bytes const raw = bytes_of(v);
  header const h = decode(head_of(raw));
  check_fields(h, v.at("fields"));
  check_same_bytes(h, raw);
  check_extensions(h, v.at("fields").at("exthdr_parsed_by_6_1"));
  if (v.at("transport") == "ib" && !is_negative(v)) {
    CHECK(checksum_ok(head_of(raw)));
    CHECK(make_checksum(head_of(raw)) == h.checksum);
  }
}

address_family family_of(std::string const& name) {
  return name.find("_v6") != std::string::npos ? address_family::v6 : address_family::v4;
}

std::string text_of(address_bytes const& address, address_family family) {
  if (family == address_family::v4) {
    std::string text;
    for (std::size_t i = 12; i < 16; ++i) text += (i > 12 ? "." : "") + std::to_string(std::to_integer<int>(address[i]));
    return text;
  }
  std::string const hex = to_hex(address);
  return hex.substr(0, 4) + "::" + hex.substr(30);  // enough for fd00::10 and fd00::20
}

void check_private_data(json const& v) {
  std::string const name = v.at("name");
  address_family const family = family_of(name);
  json const& fields = v.at("fields");
  bytes const raw = bytes_of(v);
  auto const data = decode_cm(family, raw);
  REQUIRE(data);
  CHECK(text_of(data->source, family) == fields.at("saddr").get<std::string>());
  CHECK(text_of(data->destination, family) == fields.at("daddr").get<std::string>());
  CHECK(data->version.major == fields.at("major").get<unsigned>());
  CHECK(data->version.minor == fields.at("minor").get<unsigned>());
  CHECK(data->minor_mask == fields.at("mask").get<unsigned>());
  CHECK(data->type_of_service == fields.at("tos").get<unsigned>());
  CHECK(data->ack == fields.at("ackseq").get<std::uint64_t>());
  CHECK(data->initial_credit == fields.at("credit").get<std::uint32_t>());
  CHECK(data->fragment_size == 0);
  bytes again(raw.size(), std::byte{0xee});
  if (family == address_family::v4) {
    REQUIRE(raw.size() == cm_private_v4_bytes);
    encode_v4(*data, std::span{again}.first<cm_private_v4_bytes>());
  } else {
    REQUIRE(raw.size() == cm_private_v6_bytes);
    encode_v6(*data, std::span{again}.first<cm_private_v6_bytes>());
  }
  CHECK(to_hex(again) == to_hex(raw));
}

// The private data of the management datagram: 36 bytes that the connection manager writes, then ours.
void check_management_datagram(json const& v) {
  constexpr std::size_t manager_bytes = 36;
  std::string const name = v.at("name");
  address_family const family = family_of(name);
  bytes const raw = bytes_of(v);
  bytes const alone = bytes_named(family == address_family::v4 ? "cm_req_priv_v4" : "cm_req_priv_v6");
  auto const ours = std::span{raw}.subspan(manager_bytes);
  CHECK(ours.size() == cm_private_v6_bytes);
  CHECK(decode_cm(family, ours) == decode_cm(family, alone));
}

using negative_check = void (*)(json const&, bytes const&);

void expect_reset(json const& v, bytes const& raw) {
  if (v.at("transport") == "tcp") {
    CHECK_FALSE(length_acceptable(decode(head_of(raw))));
    return;
  }
  fragment_assembly in;
  auto const verdict = in.admit(raw);
  if (verdict == fragment_verdict::ack_only) {
    transmit_sequence out{1};
    out.take();
    CHECK(out.acknowledge(in.last().ack) == ack_verdict::future);
    return;
  }
  CHECK(must_reset(verdict));
}

void expect_checksum_reset(json const&, bytes const& raw) {
  fragment_assembly in;
  CHECK(in.admit(raw) == fragment_verdict::bad_checksum);
  CHECK(intact<checksum_rule::none>(head_of(raw)));
}

void expect_accept(json const&, bytes const& raw) {
  fragment_assembly in;
  CHECK(in.admit(raw) == fragment_verdict::complete);
  CHECK(classify(in.first(), {true}) == frame_kind::data);
}

void expect_map_ignored(json const&, bytes const& raw) {
  header const h = decode(head_of(raw));
  CHECK(classify(h, {}) == frame_kind::bad_congestion_map);
  CHECK(length_acceptable(h));
  CHECK(raw.size() == header_bytes + h.length);
}

void expect_ignored(json const&, bytes const& raw) {
  header const h = decode(head_of(raw));
  CHECK(classify(h, {}) == frame_kind::ignored);
  CHECK_FALSE(is_numbered(classify(h, {})));
}

template <std::size_t Count>
void expect_extensions(json const&, bytes const& raw) {
  header const h = decode(head_of(raw));
  extension_walk walk{h.extensions};
  std::size_t found = 0;
  while (walk.next()) ++found;
  CHECK(found == Count);
  CHECK(classify(h, {}) == frame_kind::data);
}

template <int Paths>
void expect_paths(json const&, bytes const& raw) {
  header const h = decode(head_of(raw));
  CHECK(classify(h, {}) == frame_kind::probe);
  CHECK(parse_offer(h).paths == Paths);
}

std::map<std::string, negative_check> const negative_checks{
    {"reset connection", expect_reset},
    {"reset connection (IB); ignored on TCP", expect_checksum_reset},
    {"accept", expect_accept},
    {"consume 8191 bytes, ignore", expect_map_ignored},
    {"ignored as ping with sport 0", expect_ignored},
    {"ignore", expect_ignored},
    {"two extensions parsed", expect_extensions<2>},
    {"no extensions", expect_extensions<0>},
    {"6.1 walk: 7(len0), 9(len0), 5(len2); rdsco stops at the first unknown type; the message is delivered either way",
     expect_extensions<0>},
    {"npaths=1", expect_paths<1>},
    {"npaths=8", expect_paths<8>},
};

}  // namespace

TEST_CASE("every vector decodes to its fields and encodes to its bytes") {
  std::map<std::string, int> checked;
  for (json const& v : vectors()) {
    INFO(v.at("name").get<std::string>() << ": " << v.at("description").get<std::string>());
    std::string const transport = v.at("transport");
    ++checked[transport];
    if (v.at("name") == "cm_reject_le") {
      std::int32_t const code = cm_reject_code;
      bytes host(sizeof code);
      std::memcpy(host.data(), &code, sizeof code);
      if constexpr (std::endian::native == std::endian::little) CHECK(host == bytes_of(v));
    } else if (transport == "ib-cm") {
      check_private_data(v);
    } else if (transport == "ib-mad") {
      check_management_datagram(v);
    } else if (v.at("length") >= header_bytes) {
      check_header_vector(v);
    }
  }
  CHECK(vectors().size() == 59);
  CHECK(checked == std::map<std::string, int>{{"tcp", 26}, {"ib", 24}, {"ib-cm", 7}, {"ib-mad", 2}});
}

TEST_CASE("every negative vector is treated as it says") {
  int checked = 0;
  for (json const& v : vectors()) {
    if (!is_negative(v)) continue;
    INFO(v.at("name").get<std::string>() << ": " << v.at("expect").get<std::string>());
    auto const check = negative_checks.find(v.at("expect").get<std::string>());
    REQUIRE(check != negative_checks.end());
    check->second(v, bytes_of(v));
    ++checked;
  }
  CHECK(checked == 16);
}

TEST_CASE("vectors are of the kind that their names say") {
  frame_rules const tcp{};
  CHECK(classify(header_of("tcp_data_5"), tcp) == frame_kind::data);
  CHECK(classify(header_of("tcp_data_0"), tcp) == frame_kind::data);
  CHECK(classify(header_of("tcp_data_5_retransmit"), tcp) == frame_kind::data);
  CHECK(classify(header_of("tcp_ping"), tcp) == frame_kind::ping);
  CHECK(classify(header_of("tcp_pong"), tcp) == frame_kind::pong);
  CHECK(classify(header_of("tcp_mprds_probe_6_1"), tcp) == frame_kind::probe);
  CHECK(classify(header_of("tcp_mprds_probe_pong_6_1"), tcp) == frame_kind::probe_pong);
  CHECK(classify(header_of("tcp_cong_map_empty"), tcp) == frame_kind::congestion_map);
  CHECK(classify(header_of("ib_ack_only"), {true}) == frame_kind::ack_only);
  CHECK(classify(header_of("ib_ack_only_credit16"), {true}) == frame_kind::ack_only);
  CHECK(length_acceptable(header_of("tcp_hdr_max_1MiB")));
}

TEST_CASE("probes and pongs of kernels, old and new") {
  CHECK(parse_offer(header_of("tcp_mprds_probe_6_1")).paths == 8);
  CHECK_FALSE(parse_offer(header_of("tcp_mprds_pong_legacy")).paths);
  CHECK(parse_offer(header_of("tcp_mprds_probe_npaths_gen")).generation == 0x12345678);
  CHECK(parse_offer(header_of("tcp_mprds_probe_newer")).generation == 0x12345678);
  header ours = make_probe_pong();
  ours.sequence = 1;
  CHECK(ours == header_of("tcp_mprds_probe_pong_single"));
}

TEST_CASE("congestion maps, whole and in fragments") {
  bytes const whole = bytes_named("tcp_cong_map_ports");
  congestion_map map;
  map.load(std::span{whole}.subspan<header_bytes, congestion_map_bytes>());
  congestion_map expected;
  for (std::uint16_t const port : std::array<std::uint16_t, 4>{4000, 5000, 65535, 8}) expected.set(port);
  CHECK(map == expected);

  fragment_assembly in;
  congestion_map assembled;
  for (std::string const name : {"ib_cong_map_frag0", "ib_cong_map_frag1"}) {
    bytes const frame = bytes_named(name);
    REQUIRE_FALSE(must_reset(in.admit(frame)));
    assembled.load_part(in.offset(), std::span{frame}.subspan(header_bytes));
  }
  CHECK_FALSE(in.in_progress());
  CHECK(classify(in.first(), {true}) == frame_kind::congestion_map);
  CHECK(assembled == expected);
}

TEST_CASE("a message in three fragments is the message of one stream") {
  bytes const stream = bytes_named("tcp_data_10000");
  bytes message;
  fragment_assembly in;
  for (std::string const name : {"ib_frag_10000_0", "ib_frag_10000_1", "ib_frag_10000_2"}) {
    bytes const frame = bytes_named(name);
    REQUIRE_FALSE(must_reset(in.admit(frame)));
    REQUIRE(in.offset() == message.size());
    message.insert(message.end(), frame.begin() + header_bytes, frame.end());
  }
  CHECK_FALSE(in.in_progress());
  CHECK(std::equal(message.begin(), message.end(), stream.begin() + header_bytes, stream.end()));
}

TEST_CASE("keys and cookies of RDMA messages") {
  CHECK(parse_extensions(header_of("ib_rdma_chaser").extensions).rdma_key == 0x12345678);
  CHECK(parse_extensions(header_of("ib_rdma_chaser_newer").extensions).rdma_key == 0x12345678);
  CHECK(parse_extensions(header_of("ib_rdma_dest").extensions).rdma_destination == rdma_cookie{0x00a1b2c3, 0x123});
}
