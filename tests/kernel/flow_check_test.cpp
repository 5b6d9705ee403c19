// SPDX-License-Identifier: BSD-2-Clause
// What could go wrong: the account of a flow misses a lost, repeated, late or damaged datagram, and every interoperation test passes blindly.
// How the test forces it: each fault is made on purpose in an otherwise complete flow and must be named with its index.
#include "kernel/flow_check.hpp"

#include <catch2/catch.hpp>

using namespace rdsco::kernel_lab;

namespace {

size_schedule const mixed{{0, 1, 15, 16, 4096}};

std::vector<std::byte> datagram(std::uint64_t index, size_schedule const& schedule = mixed) {
  std::vector<std::byte> bytes(schedule.size_of(index));
  fill_datagram(bytes, {7, index});
  return bytes;
}

flow_log::account account_of(std::vector<std::uint64_t> const& arrivals, std::uint64_t expected,
                             size_schedule const& schedule = mixed) {
  flow_log log(schedule);
  for (auto const index : arrivals) {
    log.take(datagram(index, schedule));
  }
  return log.report(expected);
}

}  // namespace

TEST_CASE("a complete flow of all sizes is clean") {
  auto const account = account_of({0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 10);
  CHECK(account.clean());
  CHECK(account.received == 10);
  CHECK(account.bytes == 2 * (0 + 1 + 15 + 16 + 4096));
}

TEST_CASE("a flow may begin in the middle") {
  flow_log log(mixed, 8);
  log.take(datagram(8));
  log.take(datagram(9));
  CHECK(log.report(2).clean());
  CHECK(log.flow() == 7);
}

TEST_CASE("lost datagrams are named, small ones too") {
  CHECK(account_of({0, 1, 2, 4, 5, 6, 7, 8, 9}, 10).lost == std::vector<flow_log::range>{{3, 3}});
  CHECK(account_of({0, 2, 3, 4}, 5).lost == std::vector<flow_log::range>{{1, 1}});
  CHECK(account_of({1, 2, 3, 4}, 5).lost == std::vector<flow_log::range>{{0, 0}});
  auto const account = account_of({}, 3);
  CHECK(account.lost == std::vector<flow_log::range>{{0, 2}});
  CHECK(account.lost_count == 3);
}

TEST_CASE("repeated, late and surplus datagrams are named") {
  CHECK(account_of({0, 1, 2, 3, 4, 3, 5}, 6).duplicated == std::vector<std::uint64_t>{3});
  CHECK(account_of({0, 1, 2, 4, 3}, 5).reordered == std::vector<std::uint64_t>{3});
  CHECK(account_of({0, 1, 2, 3, 4}, 4).unexpected == std::vector<std::uint64_t>{4});
  CHECK_FALSE(account_of({0, 0, 1, 2, 3, 4}, 5).clean());
}

TEST_CASE("damage is found in any byte, and so is a wrong size") {
  auto const position = GENERATE(0U, 7U, 8U, 15U, 16U, 2000U, 4095U);
  size_schedule const one{{4096}};
  auto bytes = datagram(0, one);
  bytes[position] ^= std::byte{0x40};
  flow_log log(one);
  log.take(datagram(0, one));
  log.take(bytes);
  CHECK(log.report(1).corrupt.size() == 1);

  flow_log shortened(one);
  shortened.take(std::span<std::byte const>(datagram(0, one)).first(4095));
  CHECK(shortened.report(1).corrupt.size() == 1);
}

TEST_CASE("a datagram of another flow, or of one too small to tell its number, is damage") {
  size_schedule const tiny{{15}};
  flow_log log(tiny);
  std::vector<std::byte> bytes(15);
  fill_datagram(bytes, {1, 4});
  log.take(bytes);
  CHECK(log.report(1).corrupt.size() == 1);

  flow_log mine(mixed);
  mine.take(datagram(3));
  std::vector<std::byte> stranger(4096);
  fill_datagram(stranger, {8, 4});
  mine.take(stranger);
  CHECK(mine.report(5).corrupt.size() == 1);
}
