// SPDX-License-Identifier: BSD-2-Clause
#pragma once

// What remote memory promises, the same on every transport that has any: each function is a case, on two sockets that reach each other.
#include "support/nodes.hpp"

#include <rdsco/region.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

namespace rdsco::test {

/// `owner` has memory, `user` works on it.
struct remote_ends {
  remote_ends(rdsco::socket& one, rdsco::socket& other, bool told = true) noexcept : owner(one), user(other), refusals_told(told) {}
  rdsco::socket& owner;
  rdsco::socket& user;
  bool refusals_told;  // an adapter says what the peer does not permit; otherwise the connection ends under it
};

inline std::vector<std::byte> zeros(std::size_t bytes) { return std::vector<std::byte>(bytes); }

/// Memory of one end, registered, offered to the other, and known there.
class lent_memory {
 public:
  explicit lent_memory(std::size_t bytes) : memory(bytes) {}
  lent_memory(lent_memory const&) = delete;
  lent_memory& operator=(lent_memory const&) = delete;

  task<> offer(remote_ends ends, offer_terms terms = {}) {
    auto registered = co_await with_timeout(patience, ends.owner.register_memory(memory));
    INFO(registered.ec.message());
    REQUIRE(!registered.ec);
    own = std::move(registered.data);
    co_await offer_again(ends, terms);
  }
  task<> offer_again(remote_ends ends, offer_terms terms = {}) {
    auto made = co_await with_timeout(patience, own.offer(ends.user.local().host, 0, memory.size(), terms));
    INFO(made.ec.message());
    REQUIRE(!made.ec);
    offered = std::move(made.data);
    auto const sent = co_await with_timeout(patience, ends.owner.send_to("use this", ends.user.local(), offered, until::acknowledged));
    INFO(sent.ec.message());
    REQUIRE(!sent.ec);
    auto const got = co_await with_timeout(patience, ends.user.receive());
    REQUIRE(!got.ec);
    REQUIRE(got.data.to_string() == "use this");
    auto const found = got.data.offered();
    REQUIRE(found.has_value());
    remote = *found;
    REQUIRE(remote.from() == ends.owner.local());
  }

  std::vector<std::byte> memory;
  region own;
  memory_offer offered;
  remote_memory remote;
};

/// Memory of the other end, for its operations.
inline task<region> local_memory(rdsco::socket& of, std::vector<std::byte>& memory) {
  auto registered = co_await with_timeout(patience, of.register_memory(memory));
  REQUIRE(!registered.ec);
  co_return std::move(registered.data);
}

inline task<> write_is_seen_before_its_datagram(remote_ends ends, std::size_t bytes) {
  lent_memory lent(bytes);
  co_await lent.offer(ends, access::write);
  auto data = pattern(7, bytes);
  region const local = co_await local_memory(ends.user, data);
  auto const wrote = co_await with_timeout(patience, ends.user.rdma_write(local.all(), lent.remote, 0, "written"));
  INFO(wrote.ec.message());
  REQUIRE(!wrote.ec);
  auto const told = co_await with_timeout(patience, ends.owner.receive());
  REQUIRE(!told.ec);
  REQUIRE(told.data.to_string() == "written");
  REQUIRE(told.data.from() == ends.user.local());
  REQUIRE(!told.data.offered());
  REQUIRE(lent.memory == data);
}

inline task<> read_is_complete_when_it_completes(remote_ends ends, std::size_t bytes) {
  lent_memory lent(bytes);
  lent.memory = pattern(9, bytes);
  co_await lent.offer(ends, access::read);
  auto data = zeros(bytes);
  region const local = co_await local_memory(ends.user, data);
  auto const got = co_await with_timeout(patience, ends.user.rdma_read(local.all(), lent.remote, 0, "read"));
  INFO(got.ec.message());
  REQUIRE(!got.ec);
  REQUIRE(data == lent.memory);
  auto const told = co_await with_timeout(patience, ends.owner.receive());
  REQUIRE(told.data.to_string() == "read");
}

inline task<> parts_are_gathered_and_scattered(remote_ends ends) {
  lent_memory lent(300);
  co_await lent.offer(ends);
  auto data = pattern(3, 300);
  region const local = co_await local_memory(ends.user, data);
  std::vector<region_slice> const parts{local.slice(7, 0), local.slice(200, 100), local.slice(0, 50), local.slice(3, 0), local.slice(50, 1)};
  auto const wrote = co_await with_timeout(patience, ends.user.rdma_write(parts, lent.remote, 10));
  REQUIRE(!wrote.ec);
  REQUIRE((co_await with_timeout(patience, ends.owner.receive())).data.size() == 0);
  REQUIRE(std::equal(lent.memory.begin() + 10, lent.memory.begin() + 110, data.begin() + 200));
  REQUIRE(std::equal(lent.memory.begin() + 110, lent.memory.begin() + 161, data.begin()));
  REQUIRE(lent.memory[9] == std::byte{0});
  REQUIRE(lent.memory[161] == std::byte{0});

  auto const other = pattern(4, 300);
  std::copy(other.begin(), other.end(), lent.memory.begin());
  auto const read = co_await with_timeout(patience, ends.user.rdma_read(parts, lent.remote, 20));
  REQUIRE(!read.ec);
  REQUIRE(std::equal(lent.memory.begin() + 20, lent.memory.begin() + 120, data.begin() + 200));
  REQUIRE(std::equal(lent.memory.begin() + 120, lent.memory.begin() + 171, data.begin()));
  static_cast<void>(co_await with_timeout(patience, ends.owner.receive()));
}

/// Afterwards datagrams flow, and memory can be offered anew.
inline task<> all_is_well_again(remote_ends ends) {
  auto const sent = co_await with_timeout(patience, ends.user.send_to("and now?", ends.owner.local(), until::acknowledged));
  REQUIRE(!sent.ec);
  auto const got = co_await with_timeout(patience, ends.owner.receive());
  REQUIRE(got.data.to_string() == "and now?");
  co_await write_is_seen_before_its_datagram(ends, 100);
}

/// How an operation ends that the peer does not permit.
inline void refused(std::error_code how, bool told) {
  INFO(how.message());
  REQUIRE(how == (told ? errc::remote_access : errc::operation_dropped));
}

inline task<> what_is_not_permitted_fails(remote_ends ends) {
  auto data = pattern(3, 200);
  region const local = co_await local_memory(ends.user, data);
  {
    lent_memory lent(100);
    co_await lent.offer(ends);
    auto const beyond = co_await with_timeout(patience, ends.user.rdma_write(local.slice(0, 51), lent.remote, 50, "beyond"));
    refused(beyond.ec, ends.refusals_told);
    REQUIRE(lent.memory == zeros(100));
  }
  {
    lent_memory lent(100);
    co_await lent.offer(ends, access::read);
    auto const wrote = co_await with_timeout(patience, ends.user.rdma_write(local.slice(0, 1), lent.remote));
    refused(wrote.ec, ends.refusals_told);
    REQUIRE(lent.memory == zeros(100));
  }
  {
    lent_memory lent(100);
    co_await lent.offer(ends, access::write);
    auto const read = co_await with_timeout(patience, ends.user.rdma_read(local.slice(0, 1), lent.remote));
    refused(read.ec, ends.refusals_told);
  }
  co_await all_is_well_again(ends);
}

inline task<> withdrawn_is_out_of_reach(remote_ends ends) {
  lent_memory lent(100);
  offer_terms terms;
  terms.invalidate = true;
  co_await lent.offer(ends, terms);
  auto const withdrawn = co_await with_timeout(patience, lent.offered.withdraw());
  REQUIRE(!withdrawn.ec);
  REQUIRE(!lent.offered.usable());
  REQUIRE((co_await with_timeout(patience, lent.offered.over())).ec == errc::withdrawn);
  REQUIRE((co_await with_timeout(patience, ends.owner.send_to("late", ends.user.local(), lent.offered))).ec == errc::stale_offer);
  auto data = pattern(3, 100);
  region const local = co_await local_memory(ends.user, data);
  auto const wrote = co_await with_timeout(patience, ends.user.rdma_write(local.all(), lent.remote));
  refused(wrote.ec, ends.refusals_told);
  REQUIRE(lent.memory == zeros(100));
  co_await all_is_well_again(ends);
}

inline task<> used_once(remote_ends ends) {
  lent_memory lent(100);
  offer_terms terms;
  terms.use_once = true;
  terms.invalidate = true;
  co_await lent.offer(ends, terms);
  auto data = pattern(3, 100);
  region const local = co_await local_memory(ends.user, data);
  REQUIRE(!(co_await with_timeout(patience, ends.user.rdma_write(local.all(), lent.remote, 0, "once"))).ec);
  static_cast<void>(co_await with_timeout(patience, ends.owner.receive()));
  REQUIRE(!(co_await with_timeout(patience, lent.offered.over())).ec);
  REQUIRE(!lent.offered.usable());
  REQUIRE(!(co_await with_timeout(patience, lent.offered.withdraw())).ec);
  refused((co_await with_timeout(patience, ends.user.rdma_write(local.all(), lent.remote, 0, "twice"))).ec, ends.refusals_told);
  co_await all_is_well_again(ends);
}

inline task<> silent_tells_nobody(remote_ends ends) {
  lent_memory lent(100);
  offer_terms terms;
  terms.use_once = true;
  co_await lent.offer(ends, terms);
  auto data = pattern(3, 100);
  region const local = co_await local_memory(ends.user, data);
  rdma_options silent;
  silent.silent = true;
  const_buffers const nothing;
  REQUIRE(!(co_await with_timeout(patience, ends.user.rdma_write(local.all(), lent.remote, 0, nothing, silent))).ec);
  REQUIRE(lent.memory == data);
  REQUIRE(lent.offered.usable());
  REQUIRE(!(co_await with_timeout(patience, ends.user.rdma_write(local.all(), lent.remote, 0, "loud", silent))).ec);
  REQUIRE((co_await with_timeout(patience, ends.owner.receive())).data.to_string() == "loud");
  REQUIRE(ends.owner.try_receive().ec == errc::would_block);
  REQUIRE(ends.user.try_receive().ec == errc::would_block);
}

inline task<> atomics_count(remote_ends ends) {
  lent_memory lent(64);
  co_await lent.offer(ends, access::atomic | access::read);
  constexpr auto minus_one = ~std::uint64_t(0);
  auto const before = co_await with_timeout(patience, ends.user.fetch_add(lent.remote, 8, 5));
  INFO(before.ec.message());
  REQUIRE(!before.ec);
  REQUIRE(before.data == 0);
  REQUIRE((co_await with_timeout(patience, ends.user.fetch_add(lent.remote, 8, minus_one))).data == 5);
  auto const other = co_await with_timeout(patience, ends.user.compare_swap(lent.remote, 8, 5, 77));
  REQUIRE(!other.ec);
  REQUIRE(other.data == 4);
  auto const same = co_await with_timeout(patience, ends.user.compare_swap(lent.remote, 8, 4, 77, "swapped"));
  REQUIRE(same.data == 4);
  for (int silent_ones = 0; silent_ones < 3; ++silent_ones) static_cast<void>(co_await with_timeout(patience, ends.owner.receive()));
  REQUIRE((co_await with_timeout(patience, ends.owner.receive())).data.to_string() == "swapped");
  std::uint64_t value = 0;
  std::memcpy(&value, lent.memory.data() + 8, sizeof value);
  REQUIRE(value == 77);
  REQUIRE((co_await with_timeout(patience, ends.user.fetch_add(lent.remote, 4, 1))).ec == errc::invalid_range);
  REQUIRE((co_await with_timeout(patience, ends.user.masked_fetch_add(lent.remote, 8, 1, 1))).ec == errc::not_supported);
  REQUIRE((co_await with_timeout(patience, ends.user.masked_compare_swap(lent.remote, 8, 77, 1, 0, 1))).ec == errc::not_supported);
}

/// What is wrong on this side is said at once, and nothing reaches the wire.
inline task<> misuse_is_told_at_once(remote_ends ends) {
  lent_memory lent(100);
  co_await lent.offer(ends);
  auto data = pattern(3, 100);
  region local = co_await local_memory(ends.user, data);
  REQUIRE((co_await lent.own.offer(ends.user.local().host, 0, 0)).ec == errc::invalid_range);
  REQUIRE((co_await lent.own.offer(ends.user.local().host, 50, 51)).ec == errc::invalid_range);
  REQUIRE((co_await lent.own.offer(ends.user.local().host, ~std::size_t(0), 2)).ec == errc::invalid_range);
  REQUIRE((co_await lent.own.offer(at("192.0.2.1"), 0, 1)).ec == errc::peer_not_allowed);
  REQUIRE((co_await ends.user.rdma_write(region_slice(), lent.remote)).ec == errc::not_registered);
  REQUIRE((co_await ends.user.rdma_write(local.slice(0, 0), lent.remote)).ec == errc::invalid_range);
  REQUIRE((co_await ends.owner.register_memory(mutable_buffer())).ec == errc::invalid_range);
  // An offer is good for the peer it was made to.
  REQUIRE((co_await ends.owner.send_to("not yours", ends.owner.local(), lent.offered)).ec == errc::wrong_peer);
  REQUIRE(!(co_await with_timeout(patience, local.close())).ec);
  REQUIRE(!local.usable());
  REQUIRE((co_await local.offer(ends.user.local().host, 0, 1)).ec == errc::not_registered);
  co_await all_is_well_again(ends);
}

}  // namespace rdsco::test
