// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a stress test that passes although datagrams were lost, repeated, reordered, corrupted or misdelivered.
// Forced by: showing the account each of these faults, alone and at the wrap of the numbers.
#include "tools/stress_check.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <vector>

using namespace rdsco::tools;
using rdsco::address;
using rdsco::endpoint;
using verdict = stress_check::verdict;

namespace {

endpoint const peer(address::v4(10, 0, 0, 1), 4001);
endpoint const own(address::v4(10, 0, 0, 2), 4002);

stress_header numbered(std::uint32_t number) {
  stress_header made(peer, own);
  made.number = number;
  return made;
}

verdict show(stress_check& account, std::uint32_t number) { return account.take(numbered(number), 100, 100, true); }

/// The numbers of a sequence that begins at 0.
stress_faults faults_of(std::vector<std::uint32_t> const& numbers) {
  stress_check account(peer, own);
  for (auto const each : numbers) (void)show(account, each);
  return account.faults();
}

}  // namespace

TEST_CASE("datagrams in order are good") {
  REQUIRE(!faults_of({0, 1, 2, 3}).any());
}

TEST_CASE("a gap is a loss, of each number in it") {
  auto const faults = faults_of({0, 1, 5});
  REQUIRE(faults.lost == 3);
  REQUIRE(faults.duplicated + faults.reordered + faults.corrupted + faults.misdelivered == 0);
}

TEST_CASE("a number that comes again is a duplicate, the last one and an older one") {
  REQUIRE(faults_of({0, 1, 1}).duplicated == 1);
  REQUIRE(faults_of({0, 1, 2, 0}).duplicated == 1);
  REQUIRE(faults_of({0, 1, 2, 0}).reordered == 0);
}

TEST_CASE("a number that fills a gap is reordered, not lost; coming again it is a duplicate") {
  auto faults = faults_of({0, 2, 1, 3});
  REQUIRE(faults.reordered == 1);
  REQUIRE(faults.lost == 0);
  REQUIRE(faults.duplicated == 0);
  faults = faults_of({0, 4, 2, 2, 1});
  REQUIRE(faults.reordered == 2);
  REQUIRE(faults.duplicated == 1);
  REQUIRE(faults.lost == 1);
}

TEST_CASE("numbers wrap around") {
  stress_check account(peer, own);
  (void)show(account, 0x7fffffff);
  (void)show(account, 0xfffffffe);
  auto const before = account.faults().lost;
  REQUIRE(show(account, 0xffffffff) == verdict::good);
  REQUIRE(show(account, 0) == verdict::good);
  REQUIRE(show(account, 2) == verdict::early);
  REQUIRE(show(account, 1) == verdict::late);
  REQUIRE(account.faults().lost == before);
  REQUIRE(account.faults().duplicated == 0);
}

TEST_CASE("a wrong length or payload is corruption") {
  stress_check account(peer, own);
  (void)account.take(numbered(0), 99, 100, true);
  (void)account.take(numbered(1), 100, 100, false);
  REQUIRE(account.faults().corrupted == 2);
}

TEST_CASE("a datagram of somebody else, or for somebody else, is misdelivered and moves nothing") {
  stress_check account(peer, own);
  auto other = numbered(0);
  other.from_port = 4009;
  REQUIRE(account.take(other, 100, 100, true) == verdict::wrong);
  other = numbered(0);
  other.to_host ^= 1;
  REQUIRE(account.take(other, 100, 100, true) == verdict::wrong);
  REQUIRE(account.faults().misdelivered == 2);
  REQUIRE(show(account, 0) == verdict::good);
}

TEST_CASE("more gaps than are remembered are still losses") {
  stress_check account(peer, own);
  for (std::uint32_t i = 0; i < 5000; ++i) (void)show(account, 2 * i + 1);
  REQUIRE(account.faults().lost == 5000);
  (void)show(account, 0);
  REQUIRE(account.faults().any());
}

namespace {

std::vector<std::byte> whole_of(stress_header const& header, std::size_t bytes, stress_filling filling) {
  auto const head = header.encode(filling);
  auto const payload = stress_payload(header, bytes - head.size(), filling);
  std::vector<std::byte> made(bytes);
  std::copy(payload.begin(), payload.end(), std::copy(head.begin(), head.end(), made.begin()));
  return made;
}

bool intact(std::vector<std::byte> const& whole, std::size_t split_at, stress_filling filling) {
  std::vector<rdsco::const_buffer> const parts{rdsco::const_buffer(whole).first(split_at), rdsco::const_buffer(whole).subspan(split_at)};
  stress_header::wire first{};
  std::copy_n(whole.begin(), first.size(), first.begin());
  return stress_intact(stress_header::decode(first), rdsco::const_buffers(std::span<rdsco::const_buffer const>(parts)), filling);
}

void check_each_byte(std::size_t first, stress_filling filling) {
  auto whole = whole_of(numbered(7), 1063, filling);
  for (std::size_t const at : {0u, 1u, 62u, 63u, 64u, 500u, 1063u}) REQUIRE(intact(whole, at, filling));
  for (std::size_t at = first; at < whole.size(); ++at) {
    INFO(at);
    whole[at] ^= std::byte{0x10};
    REQUIRE(!intact(whole, 500, filling));
    whole[at] ^= std::byte{0x10};
  }
}

}  // namespace

TEST_CASE("every single byte of the payload is checked, across the parts of a message") {
  check_each_byte(stress_header::bytes, stress_filling::by_place);
}

TEST_CASE("between two rdsco ends every single byte of the datagram is checked") {
  check_each_byte(0, stress_filling::by_name);
}

TEST_CASE("between two rdsco ends the bytes of another datagram do not pass: another number, flow, kind or index") {
  auto const right = numbered(7);
  auto other = std::vector<stress_header>(5, right);
  other[0].number = 8;
  std::swap(other[1].from_host, other[1].to_host);
  ++other[2].to_port;
  other[3].kind = stress_kind::acknowledgement;
  ++other[4].index;
  auto const whole = whole_of(right, 1000, stress_filling::by_name);
  constexpr std::size_t fields = 19;
  for (auto const& each : other) {
    auto const from = whole_of(each, 1000, stress_filling::by_name);
    // Its bytes from the end of the fields on, and from the end of the header on.
    for (std::size_t const begin : {fields, stress_header::bytes}) {
      auto mixed_up = whole;
      std::copy(from.begin() + static_cast<std::ptrdiff_t>(begin), from.end(), mixed_up.begin() + static_cast<std::ptrdiff_t>(begin));
      REQUIRE(!intact(mixed_up, 500, stress_filling::by_name));
    }
  }
}
