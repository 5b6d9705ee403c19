// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a fake adapter carries out, orders or reports requests as no real one does, and all that is tested on it proves
// nothing.
// Forced by: two hosts that are nothing but calls, and for each rule a request that breaks it beside one that does not.

#include "verbs/bare_connection.hpp"

#include <cerrno>
#include <cstdint>

#if defined(__SANITIZE_ADDRESS__)
#define RDSCO_TEST_POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RDSCO_TEST_POISONS 1
#endif
#endif
#ifdef RDSCO_TEST_POISONS
#include <sanitizer/asan_interface.h>
#endif

namespace {

using namespace rdsco;
using namespace rdsco::test;
using kind = verbs::cm_event::kind;

}  // namespace

TEST_CASE("what is behind a refused request is flushed in its order, and what was before it is done") {
  connected w;
  bare_memory own(w.near, 0), there(w.far, all_access);
  w.fabric.cut(at("10.0.0.1"), at("10.0.0.2"), true);
  REQUIRE(w.near.post({remote(IBV_WR_RDMA_WRITE, there.begin, there.region->rkey, own.part(8, 8), 1),
                       remote(IBV_WR_RDMA_WRITE, there.begin, there.region->rkey + 1, own.part(8, 8), 2),
                       remote(IBV_WR_RDMA_WRITE, there.begin, there.region->rkey, own.part(16, 8), 3), sending(own.part(0, 8), 4)}) == 0);
  REQUIRE(w.far.post({sending(there.part(0, 8), 11), sending(there.part(0, 8), 12)}) == 0);
  REQUIRE(w.far.post_receive(there.part(0, 8), 13) == 0);
  w.fabric.cut(at("10.0.0.1"), at("10.0.0.2"), false);
  auto const told = w.near.told(w.near.sends);
  REQUIRE(told.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) CHECK(told[i].wr_id == i + 1);
  CHECK(told[0].status == IBV_WC_SUCCESS);
  CHECK(told[1].status == IBV_WC_REM_ACCESS_ERR);
  CHECK(told[2].status == IBV_WC_WR_FLUSH_ERR);
  CHECK(told[3].status == IBV_WC_WR_FLUSH_ERR);
  CHECK(there.words[0] == untouched);
  auto const flushed = w.far.told(w.far.sends);
  REQUIRE(flushed.size() == 2);
  CHECK(flushed[0].wr_id == 11);
  CHECK(flushed[1].wr_id == 12);
  CHECK(flushed[0].status == IBV_WC_WR_FLUSH_ERR);
  CHECK(flushed[1].status == IBV_WC_WR_FLUSH_ERR);
  CHECK(w.far.statuses(w.far.receives) == statuses{IBV_WC_WR_FLUSH_ERR});
}

TEST_CASE("iWARP: a refused WRITE was a success, a refused READ is flushed, and both connections end") {
  for (ibv_wr_opcode const opcode : {IBV_WR_RDMA_WRITE, IBV_WR_RDMA_READ}) {
    connected w(IBV_NODE_RNIC);
    bare_memory own(w.near, all_access), there(w.far, all_access);
    REQUIRE(w.near.post({remote(opcode, there.begin, there.region->rkey + 1, own.part(8, 8)), sending(own.part(0, 8))}) == 0);
    auto const first = opcode == IBV_WR_RDMA_WRITE ? IBV_WC_SUCCESS : IBV_WC_WR_FLUSH_ERR;
    CHECK(w.near.statuses(w.near.sends) == statuses{first, IBV_WC_WR_FLUSH_ERR});
    CHECK(there.words[0] == 0);
    CHECK(connected::is_failed(w.near));
    CHECK(connected::is_failed(w.far));
    CHECK(w.near.heard(kind::disconnected));
    CHECK(w.far.heard(kind::disconnected));
  }
}

TEST_CASE("iWARP: where a READ goes must be open to the peer's writing; elsewhere not") {
  for (ibv_node_type const type : {IBV_NODE_CA, IBV_NODE_RNIC}) {
    for (int const access : {int{IBV_ACCESS_LOCAL_WRITE}, IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE}) {
      connected w(type);
      bare_memory own(w.near, access), there(w.far, all_access);
      bool const works = type == IBV_NODE_CA || access != IBV_ACCESS_LOCAL_WRITE;
      w.expect({remote(IBV_WR_RDMA_READ, there.begin + 8, there.region->rkey, own.part(0, 8))},
               {works ? IBV_WC_SUCCESS : IBV_WC_LOC_PROT_ERR}, false);
      CHECK((own.words[0] == untouched) == works);
    }
  }
}

TEST_CASE("iWARP: the accepting end does not speak first, with a WRITE neither; a WRITE to it lets it speak") {
  connected w(IBV_NODE_RNIC);
  bare_memory own(w.near, all_access), there(w.far, all_access);
  REQUIRE(w.near.post({remote(IBV_WR_RDMA_WRITE, there.begin, there.region->rkey, own.part(8, 8))}) == 0);
  REQUIRE(w.far.post({remote(IBV_WR_RDMA_WRITE, own.begin, own.region->rkey, there.part(16, 8))}) == 0);
  CHECK(w.far.statuses(w.far.sends) == statuses{IBV_WC_SUCCESS});
  CHECK(own.words[0] == 2 * untouched);
  CHECK(w.fabric.spoke_first == 0);

  connected silent(IBV_NODE_RNIC);
  bare_memory mine(silent.near, all_access), theirs(silent.far, all_access);
  REQUIRE(silent.far.post({remote(IBV_WR_RDMA_WRITE, mine.begin, mine.region->rkey, theirs.part(16, 8))}) == 0);
  CHECK(silent.far.statuses(silent.far.sends) == statuses{IBV_WC_WR_FLUSH_ERR});
  CHECK(silent.fabric.spoke_first == 1);
  CHECK(mine.words[0] == 0);
}

TEST_CASE("late READs: what may pass them does, what is fenced does not, and all is told in the order of posting") {
  for (bool const late : {false, true}) {
    for (bool const fenced : {false, true}) {
      INFO("late " << late << ", fenced " << fenced);
      connected w;
      w.fabric.faults.late_reads = late;
      bare_memory own(w.near, all_access), there(w.far, all_access);
      // Who hears of the READ does with its memory what it likes.
      w.fabric.on_message = [&](ibv_send_wr const&, std::span<std::byte const>) { there.words[1] = 77; };
      REQUIRE(w.far.post_receive(there.part(128, 8)) == 0);
      REQUIRE(w.far.post_receive(there.part(128, 8)) == 0);
      auto const behind = sending(own.part(0, 8), 2);
      REQUIRE(w.near.post({remote(IBV_WR_RDMA_READ, there.begin + 8, there.region->rkey, own.part(64, 8), 1),
                           fenced ? behind.fenced() : behind, sending(own.part(0, 8), 3)}) == 0);
      auto const told = w.near.told(w.near.sends);
      REQUIRE(told.size() == 3);
      for (std::size_t i = 0; i < 3; ++i) {
        CHECK(told[i].wr_id == i + 1);
        CHECK(told[i].status == IBV_WC_SUCCESS);
      }
      CHECK(own.words[8] == (late && !fenced ? 77 : untouched));
      CHECK(w.far.told(w.far.receives).size() == 2);
    }
  }
}

TEST_CASE("late READs: one with nothing behind it waits for that, or for leave; atomics are as late") {
  connected w;
  w.fabric.faults.late_reads = true;
  bare_memory own(w.near, all_access), there(w.far, all_access);
  REQUIRE(w.near.post({remote(IBV_WR_RDMA_READ, there.begin + 8, there.region->rkey, own.part(64, 8), 1)}) == 0);
  CHECK(w.near.told(w.near.sends).empty());
  REQUIRE(w.near.post({add_to(there.begin + 8, there.region->rkey, 1, own.part(72, 8))}) == 0);
  CHECK(w.near.told(w.near.sends).empty());
  CHECK(there.words[1] == untouched);
  w.fabric.release_reads();
  CHECK(w.near.statuses(w.near.sends) == statuses{IBV_WC_SUCCESS, IBV_WC_SUCCESS});
  CHECK(own.words[8] == untouched);
  CHECK(there.words[1] == untouched + 1);
  // A message that cannot be delivered does not count as having passed.
  REQUIRE(w.near.post({remote(IBV_WR_RDMA_READ, there.begin + 16, there.region->rkey, own.part(64, 8), 1), sending(own.part(0, 8))}) == 0);
  CHECK(w.near.told(w.near.sends).empty());
  REQUIRE(w.far.post_receive(there.part(128, 8)) == 0);
  CHECK(w.near.statuses(w.near.sends) == statuses{IBV_WC_SUCCESS, IBV_WC_SUCCESS});
}

TEST_CASE("late READs: a region that is gone by then fails the READ, though what passed it arrived") {
  connected w;
  w.fabric.faults.late_reads = true;
  bare_memory own(w.near, all_access), there(w.far, all_access), into(w.far, all_access);
  w.fabric.on_message = [&](ibv_send_wr const&, std::span<std::byte const>) { there.end(); };
  REQUIRE(w.far.post_receive(into.part(0, 8)) == 0);
  REQUIRE(w.near.post({remote(IBV_WR_RDMA_READ, there.begin, there.region->rkey, own.part(64, 8)), sending(own.part(8, 8))}) == 0);
  CHECK(w.near.statuses(w.near.sends) == statuses{IBV_WC_REM_ACCESS_ERR, IBV_WC_WR_FLUSH_ERR});
  CHECK(into.words[0] == untouched);
}

TEST_CASE("a message that no memory of its sender has fails, and not the READ before it") {
  connected w;
  w.fabric.faults.late_reads = true;
  bare_memory own(w.near, all_access), there(w.far, all_access);
  REQUIRE(w.far.post_receive(there.part(0, 8)) == 0);
  REQUIRE(w.near.post({remote(IBV_WR_RDMA_READ, there.begin, there.region->rkey, own.part(64, 8)), sending({})}) == 0);
  REQUIRE(w.near.statuses(w.near.sends) == statuses{IBV_WC_SUCCESS, IBV_WC_SUCCESS});
  REQUIRE(w.far.post_receive(there.part(0, 8)) == 0);
  ibv_sge nothing = own.part(0, 8);
  nothing.lkey += 1;
  REQUIRE(w.near.post({remote(IBV_WR_RDMA_READ, there.begin, there.region->rkey, own.part(64, 8)), sending(nothing)}) == 0);
  CHECK(w.near.statuses(w.near.sends) == statuses{IBV_WC_WR_FLUSH_ERR, IBV_WC_LOC_PROT_ERR});
}

TEST_CASE("what cannot be posted is refused, and what was before it in the list is posted") {
  connected w;
  bare_memory own(w.near, all_access), there(w.far, all_access);
  auto const write = [&](std::uint64_t number) { return remote(IBV_WR_RDMA_WRITE, there.begin, there.region->rkey, own.part(8, 8), number); };
  bare_request wide = write(2);
  wide.elements.assign(5, own.part(0, 8));
  CHECK(w.near.post({write(1), wide, write(3)}) == -EINVAL);
  auto const told = w.near.told(w.near.sends);
  REQUIRE(told.size() == 1);
  CHECK(told[0].wr_id == 1);
  wide.elements.resize(4);
  CHECK(w.near.post({wide}) == 0);
  CHECK(w.near.post({{IBV_WR_SEND_WITH_IMM, 0}}) == -EINVAL);
  CHECK(w.near.post({write(1).with(IBV_SEND_INLINE)}) == -EINVAL);

  std::vector<ibv_sge> five(5, there.part(0, 8));
  ibv_recv_wr request{};
  request.sg_list = five.data();
  request.num_sge = 5;
  CHECK(w.far.api->post_receive(w.far.pair, &request) == -EINVAL);
  request.num_sge = 4;
  CHECK(w.far.api->post_receive(w.far.pair, &request) == 0);
}

TEST_CASE("a queue has so many places: those of requests that are not told of are taken until a later one is") {
  connected w;
  bare_memory own(w.near, all_access), there(w.far, all_access);
  auto const write = [&](std::uint64_t number) { return remote(IBV_WR_RDMA_WRITE, there.begin, there.region->rkey, own.part(8, 8), number); };
  std::vector<bare_request> nine;
  for (std::uint64_t number = 1; number <= 9; ++number) nine.push_back(write(number).untold());
  CHECK(w.near.post(nine) == -ENOMEM);
  CHECK(w.near.told(w.near.sends).empty());
  CHECK(there.words[0] == untouched);
  CHECK(w.near.post({write(10)}) == -ENOMEM);
  w.near.end();

  connected other;
  bare_memory mine(other.near, all_access), theirs(other.far, all_access);
  auto const read = remote(IBV_WR_RDMA_READ, theirs.begin, theirs.region->rkey, mine.part(8, 8));
  std::vector<bare_request> eight(7, read.untold());
  eight.push_back(read);
  CHECK(other.near.post(eight) == 0);
  CHECK(other.near.statuses(other.near.sends) == statuses{IBV_WC_SUCCESS});
  CHECK(other.near.post(eight) == 0);
}

TEST_CASE("iWARP: a READ has one element, and no fence") {
  for (ibv_node_type const type : {IBV_NODE_CA, IBV_NODE_RNIC}) {
    connected w(type);
    int const refused = type == IBV_NODE_RNIC ? -EINVAL : 0;
    bare_memory own(w.near, all_access), there(w.far, all_access);
    bare_request read = remote(IBV_WR_RDMA_READ, there.begin, there.region->rkey, own.part(0, 8));
    CHECK(w.near.post({read}) == 0);
    CHECK(w.near.post({read.fenced()}) == refused);
    read.elements.push_back(own.part(8, 8));
    CHECK(w.near.post({read}) == refused);
    bare_request write = remote(IBV_WR_RDMA_WRITE, there.begin, there.region->rkey, own.part(0, 8)).fenced();
    write.elements.push_back(own.part(8, 8));
    CHECK(w.near.post({write}) == 0);
  }
}

TEST_CASE("a device makes nothing larger than it says") {
  for (ibv_node_type const type : {IBV_NODE_CA, IBV_NODE_RNIC}) {
    fake_fabric fabric(type);
    fabric.attributes.max_qp_wr = 32;
    fabric.attributes.max_sge = 3;
    bare_host host(fabric, "10.0.0.1");
    fabric.attributes.max_cqe = 64;
    ibv_device_attr told{};
    REQUIRE(host.api->query_device(host.device, told) == 0);
    CHECK(told.max_qp_wr == 32);
    CHECK(told.max_sge == 3);
    CHECK(told.max_cqe == 64);
    CHECK(told.max_mr_size > 0);
    CHECK(told.max_qp_rd_atom > 0);
    CHECK(told.atomic_cap == (type == IBV_NODE_CA ? IBV_ATOMIC_HCA : IBV_ATOMIC_NONE));

    ibv_cq* queue = nullptr;
    CHECK(host.api->create_queue(host.device, 65, nullptr, nullptr, queue) == -EINVAL);
    rdma_cm_id* id = nullptr;
    REQUIRE(host.create_id(id) == 0);
    auto const created = [&](std::uint32_t ibv_qp_cap::* field, std::uint32_t value) {
      ibv_qp_init_attr attributes{};
      attributes.send_cq = attributes.recv_cq = host.sends;
      attributes.cap.*field = value;
      ibv_qp* pair = nullptr;
      int const failed = host.api->create_queue_pair(id, host.domain, attributes, pair);
      if (failed == 0) host.api->destroy_queue_pair(id);
      return failed;
    };
    for (auto const field : {&ibv_qp_cap::max_send_wr, &ibv_qp_cap::max_recv_wr}) {
      CHECK(created(field, 32) == 0);
      CHECK(created(field, 33) == -EINVAL);
    }
    for (auto const field : {&ibv_qp_cap::max_send_sge, &ibv_qp_cap::max_recv_sge}) {
      CHECK(created(field, 3) == 0);
      CHECK(created(field, 4) == -EINVAL);
    }
    host.api->destroy_id(id);
  }
}

TEST_CASE("a WRITE that is swallowed is acknowledged and reaches no memory; what is carried out is told of") {
  connected w;
  bare_memory own(w.near, all_access), there(w.far, all_access);
  std::vector<ibv_wr_opcode> seen;
  w.fabric.on_remote = [&](ibv_send_wr const& request) { seen.push_back(request.opcode); };
  w.fabric.faults.swallow = [](ibv_send_wr const& request, std::span<std::byte const> bytes) {
    return request.opcode == IBV_WR_RDMA_WRITE && bytes.size() == 16;
  };
  w.expect({remote(IBV_WR_RDMA_WRITE, there.begin, there.region->rkey, own.part(8, 16)),
            remote(IBV_WR_RDMA_WRITE, there.begin + 32, there.region->rkey, own.part(8, 8)),
            remote(IBV_WR_RDMA_READ, there.begin, there.region->rkey, own.part(64, 8)), add_to(there.begin, there.region->rkey, 3, own.part(72, 8)),
            swap_at(there.begin + 16, there.region->rkey, 0, 3, own.part(72, 8))},
           statuses(5, IBV_WC_SUCCESS));
  CHECK(there.words[0] == 3);
  CHECK(there.words[1] == untouched);
  CHECK(there.words[4] == untouched);
  CHECK(own.words[8] == 0);
  CHECK(seen == std::vector<ibv_wr_opcode>{IBV_WR_RDMA_WRITE, IBV_WR_RDMA_READ, IBV_WR_ATOMIC_FETCH_AND_ADD, IBV_WR_ATOMIC_CMP_AND_SWP});
}

TEST_CASE("an adapter that holds what was posted still has its memory, whatever becomes of the connection") {
  enum class end { released, failed_first, destroyed };
  for (end const which : {end::released, end::failed_first, end::destroyed}) {
    INFO("end " << static_cast<int>(which));
    connected w;
    bare_memory own(w.near, all_access), there(w.far, all_access);
    w.fabric.hold_sends(at("10.0.0.1"), true);
    REQUIRE(w.near.post({remote(IBV_WR_RDMA_WRITE, there.begin, there.region->rkey, own.part(8, 8))}) == 0);
    // The other host's adapter holds nothing.
    REQUIRE(w.far.post({remote(IBV_WR_RDMA_WRITE, own.begin, own.region->rkey, there.part(16, 8))}) == 0);
    CHECK(own.words[0] == 2 * untouched);
    CHECK(w.near.told(w.near.sends).empty());
    CHECK(there.words[0] == 0);
    if (which == end::failed_first) {
      w.fabric.break_connections(at("10.0.0.1"), at("10.0.0.2"));
      CHECK(connected::is_failed(w.near));
      REQUIRE(w.near.post({sending(own.part(0, 8))}) == 0);
      CHECK(w.near.told(w.near.sends).empty());
    }
    if (which == end::destroyed) w.near.end();
    w.fabric.hold_sends(at("10.0.0.1"), false);
    auto const ended = w.near.statuses(w.near.sends);
    if (which == end::released) CHECK(ended == statuses{IBV_WC_SUCCESS});
    if (which == end::failed_first) CHECK(ended == statuses{IBV_WC_WR_FLUSH_ERR, IBV_WC_WR_FLUSH_ERR});
    if (which == end::destroyed) CHECK(ended.empty());
    CHECK(there.words[0] == (which == end::released ? untouched : 0));
    CHECK(w.fabric.pulled_away == 0);
  }
}

TEST_CASE("memory that is pulled away under a request is noticed") {
  connected w;
  bare_memory sent(w.near, 0), received(w.near, all_access), there(w.far, all_access);
  w.fabric.hold_sends(at("10.0.0.1"), true);
  REQUIRE(w.near.post({remote(IBV_WR_RDMA_WRITE, there.begin, there.region->rkey, sent.part(8, 8))}) == 0);
  REQUIRE(w.near.post_receive(received.part(0, 8)) == 0);
  sent.end();
  CHECK(w.fabric.pulled_away == 1);
  received.end();
  CHECK(w.fabric.pulled_away == 2);
  w.fabric.hold_sends(at("10.0.0.1"), false);
  CHECK(w.near.statuses(w.near.sends) == statuses{IBV_WC_LOC_PROT_ERR});
}

TEST_CASE("calls that register and allocate can fail, once or for long") {
  fake_fabric fabric;
  bare_host host(fabric, "10.0.0.1");
  std::array<std::byte, 64> memory{};
  ibv_mr* region = nullptr;
  ibv_mw* window = nullptr;
  auto const registered = [&] { return host.api->register_memory_at(host.domain, memory.data(), memory.size(), 0, 0, region); };
  auto const allocated = [&] { return host.api->allocate_window(host.domain, window); };
  fabric.fail_call(1);
  CHECK(registered() == -ENOMEM);
  fabric.fail_call(1);
  CHECK(allocated() == -ENOMEM);
  fabric.faults.refused["register_memory_at"] = -EPERM;
  fabric.faults.refused["allocate_window"] = -EOPNOTSUPP;
  CHECK(registered() == -EPERM);
  CHECK(allocated() == -EOPNOTSUPP);
  fabric.faults.refused.clear();
  REQUIRE(registered() == 0);
  REQUIRE(allocated() == 0);
  CHECK(host.api->deregister_memory(region) == 0);
  CHECK(host.api->release_window(window) == 0);
}

#ifdef RDSCO_TEST_POISONS
TEST_CASE("adapters move bytes that their owner may not touch meanwhile") {
  connected w;
  bare_memory own(w.near, all_access), there(w.far, all_access);
  own.words[1] = 0;
  REQUIRE(w.far.post_receive(there.part(128, 64)) == 0);
  auto const bytes = bare_memory::bytes;
  __asan_poison_memory_region(own.words.data(), bytes);
  __asan_poison_memory_region(there.words.data(), bytes);
  auto const key = there.region->rkey;
  auto const ended = w.near.post({remote(IBV_WR_RDMA_WRITE, there.begin + 16, key, own.part(40, 8)),
                                  remote(IBV_WR_RDMA_READ, there.begin + 8, key, own.part(0, 8)), add_to(there.begin, key, 3, own.part(8, 8)),
                                  sending(own.part(64, 64))});
  __asan_unpoison_memory_region(own.words.data(), bytes);
  __asan_unpoison_memory_region(there.words.data(), bytes);
  REQUIRE(ended == 0);
  CHECK(w.near.statuses(w.near.sends) == statuses(4, IBV_WC_SUCCESS));
  CHECK(there.words[0] == 3);
  CHECK(there.words[2] == 5 * untouched);
  CHECK(there.words[16] == 8 * untouched);
  CHECK(own.words[0] == untouched);
}
#endif
