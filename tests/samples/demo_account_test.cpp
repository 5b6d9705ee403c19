// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a demo that ends well although echoes were lost, repeated, out of order or changed.
// Forced by: showing its account each of these, alone, as real messages. What is not clean is exit status 1.
#include "samples/demo/account.hpp"
#include "support/nodes.hpp"

#include <functional>

namespace {

using namespace rdsco;
using namespace rdsco::test;
using demo::account;
using demo::totals;

using bytes = std::vector<std::byte>;

bytes joined(std::span<const_buffer const> parts) {
  bytes made;
  for (auto const part : parts) made.insert(made.end(), part.begin(), part.end());
  return made;
}

/// What a flow's account says when `spoil` has had its way with the echoes of its first eight datagrams.
totals account_of(std::function<void(std::vector<bytes>&)> const& spoil) {
  account flow(7);
  std::vector<bytes> echoes;
  for (int i = 0; i < 8; ++i) echoes.push_back(joined(flow.next()));
  spoil(echoes);
  loop where;
  node_options options;
  options.own<loopback>(at("127.0.0.1"));
  node on = open(where, options);
  socket_options roomy;
  roomy.send_buffer = roomy.receive_buffer = 64u << 20;
  socket sock = bound(on, "127.0.0.1", 0, roomy);
  totals sums;
  auto const play = [&]() -> task<> {
    for (auto const& each : echoes) {
      auto const sent = co_await with_timeout(patience, sock.send_to(each, sock.local()));
      REQUIRE(!sent.ec);
      auto const got = co_await with_timeout(patience, sock.receive());
      REQUIRE(!got.ec);
      if (!flow.take(got.data, sums)) ++sums.corrupted;  // as the demo does where no flow knows an echo
    }
    co_await on.close();
  };
  block_on(where, play());
  flow.close(sums);
  return sums;
}

}  // namespace

TEST_CASE("every echo once, whole and in order is clean") {
  auto const sums = account_of([](auto&) {});
  REQUIRE(sums.clean());
  REQUIRE(sums.messages == 8);
  REQUIRE(sums.trips_us.size() == 8);
}

TEST_CASE("an echo that never comes is lost, in the middle and at the end") {
  for (std::size_t const which : {0u, 4u, 7u}) {
    auto const sums = account_of([which](auto& echoes) { echoes.erase(echoes.begin() + static_cast<std::ptrdiff_t>(which)); });
    INFO(which);
    REQUIRE(sums.lost == 1);
    REQUIRE(sums.duplicated + sums.reordered + sums.corrupted == 0);
    REQUIRE(!sums.clean());
  }
}

TEST_CASE("an echo that comes twice is duplicated, at once and later") {
  for (std::size_t const where : {3u, 8u}) {
    auto const sums = account_of([where](auto& echoes) {
      bytes const again = echoes[2];
      echoes.insert(echoes.begin() + static_cast<std::ptrdiff_t>(where), again);
    });
    INFO(where);
    REQUIRE(sums.duplicated == 1);
    REQUIRE(sums.lost + sums.reordered + sums.corrupted == 0);
    REQUIRE(!sums.clean());
  }
}

TEST_CASE("an echo that comes after a later one is reordered, not lost") {
  auto const sums = account_of([](auto& echoes) { std::swap(echoes[3], echoes[4]); });
  REQUIRE(sums.reordered == 1);
  REQUIRE(sums.lost + sums.duplicated + sums.corrupted == 0);
  REQUIRE(!sums.clean());
}

TEST_CASE("one changed byte anywhere behind the name is corruption, and so is another length") {
  auto const size = [] {
    account flow(7);
    return joined(flow.next()).size();
  }();
  for (std::size_t const place : {account::name_bytes, size / 2, size - 1}) {
    auto const sums = account_of([place](auto& echoes) { echoes[0][place] ^= std::byte{1}; });
    INFO(place);
    REQUIRE(sums.corrupted == 1);
    REQUIRE(!sums.clean());
  }
  REQUIRE(account_of([](auto& echoes) { echoes[1].pop_back(); }).corrupted == 1);
  REQUIRE(account_of([](auto& echoes) { echoes[1].emplace_back(); }).corrupted == 1);
}

TEST_CASE("the bytes of one datagram under the name of another are corruption") {
  auto const sums = account_of([](auto& echoes) {
    bytes other = echoes[0];
    other.resize(account::name_bytes);
    std::copy(echoes[1].begin(), echoes[1].begin() + account::name_bytes, other.begin());
    other.insert(other.end(), echoes[0].begin() + account::name_bytes, echoes[0].end());
    echoes[1] = other;
  });
  REQUIRE(sums.corrupted == 1);
}

TEST_CASE("an echo that no flow knows is not clean") {
  REQUIRE(!account_of([](auto& echoes) { echoes[5][0] ^= std::byte{0x40}; }).clean());
  REQUIRE(!account_of([](auto& echoes) { echoes[5].resize(account::name_bytes - 1); }).clean());
}
