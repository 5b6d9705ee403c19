// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: parameters or headers that an rds-stress reads differently; a hostile end that asks for too much.
// Forced by: bytes written down from captures of rds-stress, both layouts, and parameters out of every bound.
#include "tools/stress_control.hpp"

#include "tools/stress_header.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <string>
#include <vector>

using namespace rdsco::tools;
using rdsco::address;
using rdsco::endpoint;

namespace {

template <class Bytes>
std::string hex(Bytes const& bytes) {
  std::string made;
  for (auto const each : bytes) {
    constexpr char digits[] = "0123456789abcdef";
    made += digits[std::to_integer<unsigned>(each) >> 4];
    made += digits[std::to_integer<unsigned>(each) & 15];
  }
  return made;
}

stress_parameters some() {
  stress_parameters made;
  made.depth = 4;
  made.request_bytes = 2048;
  made.send_host = 0x0a080002;
  made.receive_host = 0x0a080001;
  made.tasks = 3;
  made.run_seconds = 7;
  made.simplex = true;
  return made;
}

}  // namespace

TEST_CASE("the older layout, byte by byte") {
  REQUIRE(hex(some().encode_2_0_6()) ==
          "00000004" "00000800" "0000003f" "00000000" "0a080002" "0a080001" "0fa0" "0003" "00000007"
          "000000" "01" "0000" "01" "0000" "01" "000000" "01" "00" "00000001" "00000000" "00000000");
}

TEST_CASE("the newer layout is the version, the older one, type of service and one byte more") {
  auto parameters = some();
  parameters.type_of_service = 5;
  auto const bytes = parameters.encode();
  REQUIRE(hex(bytes).substr(0, 12) == "322e302e3700");
  REQUIRE(hex(bytes).substr(32, 118) == hex(parameters.encode_2_0_6()));
  REQUIRE(hex(bytes).substr(150) == "0500");
}

TEST_CASE("both layouts come back as they were, and an rdsco end is known") {
  auto const newer = some().encode();
  auto const older = some().encode_2_0_6();
  rdsco::const_buffer const newer_bytes(newer), older_bytes(older);
  REQUIRE(stress_parameters::bytes_after(newer_bytes.first<16>()) == 61);
  REQUIRE(stress_parameters::bytes_after(older_bytes.first<16>()) == 43);
  for (auto const bytes : {newer_bytes, older_bytes}) {
    auto const back = stress_parameters::decode(bytes);
    REQUIRE(back.depth == 4);
    REQUIRE(back.request_bytes == 2048);
    REQUIRE(back.acknowledgement_bytes == 63);
    REQUIRE(back.receive_host == 0x0a080001);
    REQUIRE(back.starting_port == 4000);
    REQUIRE(back.tasks == 3);
    REQUIRE(back.run_seconds == 7);
    REQUIRE(back.simplex);
    REQUIRE(back.verify);
    REQUIRE(back.from_rdsco == (bytes.size() == 77));
  }
}

TEST_CASE("an rds-stress of 2.0.7 is not taken for an rdsco") {
  auto bytes = some().encode();
  std::fill(bytes.begin() + 6, bytes.begin() + 16, std::byte{0});
  REQUIRE(!stress_parameters::decode(rdsco::const_buffer(bytes)).from_rdsco);
}

TEST_CASE("what another end may not ask for") {
  auto const refused = [](auto change) {
    auto parameters = some();
    change(parameters);
    return parameters.problem().has_value();
  };
  REQUIRE(!some().problem());
  REQUIRE(refused([](auto& p) { p.request_bytes = 62; }));
  REQUIRE(refused([](auto& p) { p.request_bytes = (1u << 20) + 1; }));
  REQUIRE(refused([](auto& p) { p.acknowledgement_bytes = 0; }));
  REQUIRE(refused([](auto& p) { p.acknowledgement_bytes = 0xffffffff; }));
  REQUIRE(refused([](auto& p) { p.rdma_bytes = 4096, p.rdma_vector = 257; }));
  REQUIRE(refused([](auto& p) { p.rdma_bytes = 1, p.rdma_vector = 513; }));
  REQUIRE(refused([](auto& p) { p.rdma_bytes = 1, p.rdma_vector = 0; }));
  REQUIRE(refused([](auto& p) { p.rdma_bytes = 1, p.rdma_mode = 3; }));
  REQUIRE(refused([](auto& p) { p.rdma_bytes = 1 << 20, p.depth = 1024; }));
  REQUIRE(refused([](auto& p) { p.depth = 0; }));
  REQUIRE(refused([](auto& p) { p.depth = 65536; }));
  REQUIRE(refused([](auto& p) { p.tasks = 0; }));
  REQUIRE(refused([](auto& p) { p.tasks = 257; }));
  REQUIRE(refused([](auto& p) { p.tasks = 256, p.depth = 65535; }));
  REQUIRE(refused([](auto& p) { p.starting_port = 65535; }));
  REQUIRE(refused([](auto& p) { p.starting_port = 0; }));
}

TEST_CASE("the header is the one of a captured rds-stress") {
  stress_header header(endpoint(address::v4(10, 8, 0, 2), 4002), endpoint(address::v4(10, 8, 0, 1), 4002));
  header.number = 1;
  auto const bytes = header.encode(stress_filling::by_place);
  REQUIRE(bytes.size() == 63);
  REQUIRE(hex(bytes).substr(0, 48) == "00000001" "0a080002" "0a080001" "0fa2" "0fa2" "0000" "01" "0000000000");
  auto const back = stress_header::decode(bytes);
  REQUIRE(back.number == 1);
  REQUIRE(back.from_host == 0x0a080002);
  REQUIRE(back.kind == stress_kind::request);
}

TEST_CASE("the payload generator of rds-stress") {
  auto const bytes = stress_payload(stress_header(), 600, stress_filling::by_place);
  unsigned k = 11;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    k = (41 * (k + 3) + static_cast<unsigned>(i >> 8)) % 256;
    REQUIRE(std::to_integer<unsigned>(bytes[i]) == k);
  }
  REQUIRE(std::to_integer<unsigned>(bytes[0]) == 62);
}
