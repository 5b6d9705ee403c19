// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a fake adapter reaches memory that a real one refuses, or the other way round, and all that is tested on it proves
// nothing.
// Forced by: two hosts that are nothing but calls, and for each rule a request that breaks it beside one that does not.

#include "verbs/bare_connection.hpp"

#include <cerrno>
#include <functional>
#include <set>

namespace {

using namespace rdsco;
using namespace rdsco::test;

}  // namespace

TEST_CASE("keys are never used twice, a region's two differ, and their low byte is free") {
  fake_fabric fabric;
  bare_host host(fabric, "10.0.0.1");
  std::set<std::uint32_t> seen;
  for (int turn = 0; turn < 20; ++turn) {
    bare_memory const memory(host, all_access);
    far_window const window(host);
    for (std::uint32_t const key : {memory.region->lkey, memory.region->rkey, window.made->rkey}) {
      CHECK(seen.insert(key).second);
      CHECK((key & 0xff) == 0);
    }
  }
}

TEST_CASE("a region that peers may write must be writable, and fits the device") {
  fake_fabric fabric;
  bare_host host(fabric, "10.0.0.1");
  std::array<std::byte, 64> memory{};
  ibv_mr* region = nullptr;
  for (int const access : {IBV_ACCESS_REMOTE_WRITE, IBV_ACCESS_REMOTE_ATOMIC}) {
    CHECK(host.api->register_memory(host.domain, memory.data(), memory.size(), access, region) == -EINVAL);
    CHECK(host.api->register_memory_at(host.domain, memory.data(), memory.size(), 0, access, region) == -EINVAL);
  }
  fabric.attributes.max_mr_size = 63;
  CHECK(host.api->register_memory(host.domain, memory.data(), memory.size(), 0, region) == -EINVAL);
  fabric.attributes.max_mr_size = 64;
  REQUIRE(host.api->register_memory(host.domain, memory.data(), memory.size(), IBV_ACCESS_REMOTE_READ, region) == 0);
  CHECK(host.api->deregister_memory(region) == 0);
}

TEST_CASE("bytes go out of, and into, where the requests say: WRITE, READ and messages") {
  connected w;
  bare_memory own(w.near, IBV_ACCESS_LOCAL_WRITE), there(w.far, all_access);
  w.expect({remote(IBV_WR_RDMA_WRITE, there.begin + 16, there.region->rkey, own.part(40, 16), 7)}, {IBV_WC_SUCCESS});
  CHECK(there.words[2] == own.words[5]);
  CHECK(there.words[3] == own.words[6]);
  CHECK(there.words[1] == untouched);
  CHECK(there.words[4] == 4 * untouched);

  // Into two places, from one.
  bare_request read = remote(IBV_WR_RDMA_READ, there.begin + 160, there.region->rkey, own.part(0, 8), 8);
  read.elements.push_back(own.part(24, 16));
  REQUIRE(w.near.post({read}) == 0);
  auto const told = w.near.told(w.near.sends);
  REQUIRE(told.size() == 1);
  CHECK(told[0].status == IBV_WC_SUCCESS);
  CHECK(told[0].opcode == IBV_WC_RDMA_READ);
  CHECK(told[0].byte_len == 24);
  CHECK(told[0].wr_id == 8);
  CHECK(own.words[0] == 20 * untouched);
  CHECK(own.words[1] == untouched);
  CHECK(own.words[3] == 21 * untouched);
  CHECK(own.words[4] == 22 * untouched);

  REQUIRE(w.far.post_receive(there.part(0, 8)) == 0);
  w.expect({sending(own.part(48, 8))}, {IBV_WC_SUCCESS});
  CHECK(there.words[0] == 6 * untouched);
}

TEST_CASE("a region has the addresses that it was registered with, for its owner too; soft-iWARP leaves it where it lies") {
  connected w;
  bare_memory own(w.near, IBV_ACCESS_LOCAL_WRITE, 0x10), there(w.far, all_access, 0xfff);
  w.expect({remote(IBV_WR_RDMA_WRITE, 0xfff + 8, there.region->rkey, own.part(240, 8))}, {IBV_WC_SUCCESS});
  CHECK(there.words[1] == 30 * untouched);
  w.expect({remote(IBV_WR_RDMA_READ, reinterpret_cast<std::uintptr_t>(there.words.data()), there.region->rkey, own.part(0, 8))},
           {IBV_WC_REM_ACCESS_ERR});

  connected on_iwarp(IBV_NODE_RNIC);
  bare_memory mine(on_iwarp.near, 0), theirs(on_iwarp.far, all_access, 0xfff);
  std::uint64_t const here = reinterpret_cast<std::uintptr_t>(theirs.words.data());
  on_iwarp.expect({remote(IBV_WR_RDMA_WRITE, here + 8, theirs.region->rkey, mine.part(240, 8))}, {IBV_WC_SUCCESS});
  CHECK(theirs.words[1] == 30 * untouched);
}

TEST_CASE("a peer gets at what its key permits, within the region, in the domain of its pair") {
  struct attempt {
    char const* what;
    ibv_wr_opcode opcode;
    std::uint64_t from, bytes;
    int access;
    bool local_key, other_domain;
    bool works;
  };
  constexpr int readable = IBV_ACCESS_REMOTE_READ;
  constexpr int writable = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE;
  for (attempt const& each : {
           attempt{"all of it, written", IBV_WR_RDMA_WRITE, 0, 256, writable, false, false, true},
           attempt{"all of it, read", IBV_WR_RDMA_READ, 0, 256, readable, false, false, true},
           attempt{"one byte too long", IBV_WR_RDMA_READ, 8, 249, all_access, false, false, false},
           attempt{"one byte too long, written", IBV_WR_RDMA_WRITE, 8, 249, all_access, false, false, false},
           attempt{"one byte before", IBV_WR_RDMA_WRITE, std::uint64_t{0} - 1, 8, all_access, false, false, false},
           attempt{"behind it", IBV_WR_RDMA_WRITE, 256, 8, all_access, false, false, false},
           attempt{"written, and may be read", IBV_WR_RDMA_WRITE, 0, 8, IBV_ACCESS_LOCAL_WRITE | readable, false, false, false},
           attempt{"read, and may be written", IBV_WR_RDMA_READ, 0, 8, writable, false, false, false},
           attempt{"the owner's key", IBV_WR_RDMA_WRITE, 0, 8, all_access, true, false, false},
           attempt{"another domain", IBV_WR_RDMA_WRITE, 0, 8, all_access, false, true, false},
       }) {
    INFO(each.what);
    connected w;
    ibv_pd* other = nullptr;
    REQUIRE(w.far.api->allocate_domain(w.far.device, other) == 0);
    {
      bare_memory own(w.near, IBV_ACCESS_LOCAL_WRITE), there(w.far, each.access, std::nullopt, each.other_domain ? other : nullptr);
      auto const as_it_was = there.words;
      own.words.fill(5);
      auto const key = each.local_key ? there.region->lkey : there.region->rkey;
      w.expect({remote(each.opcode, there.begin + each.from, key, own.part(0, each.bytes))},
               {each.works ? IBV_WC_SUCCESS : IBV_WC_REM_ACCESS_ERR});
      CHECK((there.words == as_it_was) == (!each.works || each.opcode == IBV_WR_RDMA_READ));
      CHECK((own.words[0] == 5) == (!each.works || each.opcode == IBV_WR_RDMA_WRITE));
    }
    REQUIRE(w.far.api->release_domain(other) == 0);
  }
}

TEST_CASE("an address and a length that together run over the end of all addresses are no way around the check") {
  connected w;
  bare_memory own(w.near, 0), there(w.far, all_access, ~std::uint64_t{0} - 255);
  w.expect({remote(IBV_WR_RDMA_WRITE, ~std::uint64_t{0} - 7, there.region->rkey, own.part(0, 8))}, {IBV_WC_SUCCESS});
  w.expect({remote(IBV_WR_RDMA_WRITE, ~std::uint64_t{0} - 7, there.region->rkey, own.part(0, 16))}, {IBV_WC_REM_ACCESS_ERR});

  connected other;
  bare_memory mine(other.near, 0), low(other.far, all_access, 0x1000);
  other.expect({remote(IBV_WR_RDMA_WRITE, ~std::uint64_t{0} - 7, low.region->rkey, mine.part(0, 16))}, {IBV_WC_REM_ACCESS_ERR});
}

TEST_CASE("a region can begin at zero") {
  connected w;
  bare_memory own(w.near, 0), there(w.far, all_access | IBV_ACCESS_ZERO_BASED);
  w.expect({remote(IBV_WR_RDMA_WRITE, 8, there.region->rkey, own.part(16, 8))}, {IBV_WC_SUCCESS});
  CHECK(there.words[1] == 2 * untouched);
  w.expect({remote(IBV_WR_RDMA_WRITE, there.begin + 8, there.region->rkey, own.part(16, 8))}, {IBV_WC_REM_ACCESS_ERR});
}

TEST_CASE("a deregistered region is out of reach for both") {
  connected w;
  bare_memory own(w.near, 0), there(w.far, all_access);
  auto const key = there.region->rkey;
  there.end();
  w.expect({remote(IBV_WR_RDMA_WRITE, there.begin, key, own.part(0, 8))}, {IBV_WC_REM_ACCESS_ERR});
  connected other;
  bare_memory gone(other.near, 0);
  auto const part = gone.part(0, 8);
  gone.end();
  REQUIRE(other.far.post_receive({}) == 0);
  other.expect({sending(part)}, {IBV_WC_LOC_PROT_ERR}, false);
  CHECK(other.fabric.pulled_away == 0);
}

TEST_CASE("what a request names of its own host must be registered there, and writable where an answer goes") {
  using request_on = std::function<bare_request(bare_memory const& own, bare_memory const& there)>;
  struct attempt {
    char const* what;
    int access;
    request_on made;
    bool works;
  };
  auto const to_there = [](ibv_wr_opcode opcode, auto change) {
    return [opcode, change](bare_memory const& own, bare_memory const& there) {
      ibv_sge local = own.part(0, 8);
      change(local);
      return remote(opcode, there.begin, there.region->rkey, local);
    };
  };
  auto const as_it_is = [](ibv_sge&) {};
  auto const too_long = [](ibv_sge& part) { part.length = 257; };
  auto const before = [](ibv_sge& part) { --part.addr; };
  auto const other_key = [](ibv_sge& part) { part.lkey += 1; };
  auto const sends = [](auto change) {
    return [change](bare_memory const& own, bare_memory const&) {
      ibv_sge local = own.part(0, 8);
      change(local);
      return sending(local);
    };
  };
  auto const adds = [](bare_memory const& own, bare_memory const& there) { return add_to(there.begin, there.region->rkey, 1, own.part(0, 8)); };
  for (attempt const& each : {
           attempt{"a WRITE from what is not writable", 0, to_there(IBV_WR_RDMA_WRITE, as_it_is), true},
           attempt{"a READ into what is writable", IBV_ACCESS_LOCAL_WRITE, to_there(IBV_WR_RDMA_READ, as_it_is), true},
           attempt{"a READ into what is not", 0, to_there(IBV_WR_RDMA_READ, as_it_is), false},
           attempt{"an atomic into what is writable", IBV_ACCESS_LOCAL_WRITE, adds, true},
           attempt{"an atomic into what is not", 0, adds, false},
           attempt{"a WRITE, too long", all_access, to_there(IBV_WR_RDMA_WRITE, too_long), false},
           attempt{"a READ, too early", all_access, to_there(IBV_WR_RDMA_READ, before), false},
           attempt{"a WRITE with another key", all_access, to_there(IBV_WR_RDMA_WRITE, other_key), false},
           attempt{"a message", 0, sends(as_it_is), true},
           attempt{"a message, too long", all_access, sends(too_long), false},
           attempt{"a message with another key", all_access, sends(other_key), false},
       }) {
    INFO(each.what);
    connected w;
    bare_memory own(w.near, each.access), there(w.far, all_access);
    REQUIRE(w.far.post_receive(there.part(128, 64)) == 0);
    w.expect({each.made(own, there)}, {each.works ? IBV_WC_SUCCESS : IBV_WC_LOC_PROT_ERR}, false);
    CHECK(there.words[17] == 17 * untouched);
  }
}

TEST_CASE("a receive into what is not registered, or not writable, ends both ends") {
  for (bool const registered : {false, true}) {
    connected w;
    bare_memory own(w.near, 0), there(w.far, IBV_ACCESS_REMOTE_READ);
    ibv_sge into = there.part(0, 64);
    if (!registered) into.lkey += 1;
    REQUIRE(w.far.post_receive(into) == 0);
    REQUIRE(w.near.post({sending(own.part(8, 8))}) == 0);
    CHECK(w.near.statuses(w.near.sends) == statuses{IBV_WC_REM_OP_ERR});
    CHECK(w.far.statuses(w.far.receives) == statuses{IBV_WC_LOC_PROT_ERR});
    CHECK(there.words[0] == 0);
    CHECK(connected::is_failed(w.far));
  }
}

TEST_CASE("memory of another domain is none of the pair's") {
  connected w;
  ibv_pd* other = nullptr;
  REQUIRE(w.near.api->allocate_domain(w.near.device, other) == 0);
  {
    bare_memory own(w.near, all_access, std::nullopt, other), there(w.far, all_access);
    w.expect({remote(IBV_WR_RDMA_WRITE, there.begin, there.region->rkey, own.part(0, 8))}, {IBV_WC_LOC_PROT_ERR}, false);
  }
  REQUIRE(w.near.api->release_domain(other) == 0);
}

TEST_CASE("atomics answer with what was there") {
  connected w;
  bare_memory own(w.near, IBV_ACCESS_LOCAL_WRITE), there(w.far, all_access);
  auto const key = there.region->rkey;
  w.expect({add_to(there.begin + 8, key, 5, own.part(0, 8))}, {IBV_WC_SUCCESS});
  CHECK(own.words[0] == untouched);
  CHECK(there.words[1] == untouched + 5);
  w.expect({swap_at(there.begin + 8, key, untouched, 9, own.part(16, 8))}, {IBV_WC_SUCCESS});
  CHECK(own.words[2] == untouched + 5);
  CHECK(there.words[1] == untouched + 5);
  REQUIRE(w.near.post({swap_at(there.begin + 8, key, untouched + 5, 9, own.part(24, 8))}) == 0);
  auto const told = w.near.told(w.near.sends);
  REQUIRE(told.size() == 1);
  CHECK(told[0].opcode == IBV_WC_COMP_SWAP);
  CHECK(told[0].byte_len == 8);
  CHECK(own.words[3] == untouched + 5);
  CHECK(there.words[1] == 9);
}

TEST_CASE("atomics: aligned, permitted, of eight bytes; none on iWARP") {
  constexpr int others = all_access & ~IBV_ACCESS_REMOTE_ATOMIC;
  {
    connected w;
    bare_memory own(w.near, all_access), there(w.far, all_access);
    CHECK(w.near.post({add_to(there.begin, there.region->rkey, 1, own.part(0, 4))}) == -EINVAL);
    CHECK(w.near.post({add_to(there.begin, there.region->rkey, 1, own.part(0, 16))}) == -EINVAL);
    w.expect({add_to(there.begin + 4, there.region->rkey, 1, own.part(0, 8))}, {IBV_WC_REM_INV_REQ_ERR});
    CHECK(there.words[0] == 0);
  }
  {
    connected w;
    bare_memory own(w.near, all_access), there(w.far, others);
    w.expect({add_to(there.begin + 8, there.region->rkey, 1, own.part(0, 8))}, {IBV_WC_REM_ACCESS_ERR});
    CHECK(there.words[1] == untouched);
  }
  {
    connected w;
    bare_memory own(w.near, all_access), there(w.far, all_access);
    w.expect({swap_at(there.begin + 256, there.region->rkey, 0, 1, own.part(0, 8))}, {IBV_WC_REM_ACCESS_ERR});
  }
  connected w(IBV_NODE_RNIC);
  bare_memory own(w.near, all_access), there(w.far, all_access);
  CHECK(w.near.post({add_to(there.begin, there.region->rkey, 1, own.part(0, 8))}) == -EINVAL);
  CHECK(w.near.post({swap_at(there.begin, there.region->rkey, 0, 1, own.part(0, 8))}) == -EINVAL);
}
