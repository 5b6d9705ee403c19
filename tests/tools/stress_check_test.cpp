// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a stress test that passes although datagrams were lost, repeated, reordered, corrupted or misdelivered.
// Forced by: showing the account each of these faults, alone and at the wrap of the numbers.
#include "tools/stress_check.hpp"

#include <catch2/catch.hpp>

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

TEST_CASE("every single byte of the payload is checked, across the parts of a message") {
  auto const payload = stress_payload(1000);
  std::vector<std::byte> whole(stress_header::bytes);
  whole.insert(whole.end(), payload.begin(), payload.end());
  auto const split = [&](std::size_t at) {
    std::vector<rdsco::const_buffer> const parts{rdsco::const_buffer(whole).first(at), rdsco::const_buffer(whole).subspan(at)};
    return stress_payload_intact(rdsco::const_buffers(std::span<rdsco::const_buffer const>(parts)));
  };
  for (std::size_t const at : {0u, 1u, 62u, 63u, 64u, 500u, 1063u}) REQUIRE(split(at));
  for (std::size_t at = stress_header::bytes; at < whole.size(); ++at) {
    whole[at] ^= std::byte{0x10};
    REQUIRE(!split(500));
    whole[at] ^= std::byte{0x10};
  }
}
