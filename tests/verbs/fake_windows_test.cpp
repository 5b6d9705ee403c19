// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a window of a fake adapter gives more than a real one, or longer, and a key that was taken back is believed dead.
// Forced by: two hosts that are nothing but calls, and for each rule a request that breaks it beside one that does not.

#include "verbs/bare_connection.hpp"

#include <cerrno>
#include <cstdint>
#include <functional>

namespace {

using namespace rdsco;
using namespace rdsco::test;

/// A window of the far host that a message of the near one has ended.
struct window_ended : connected {
  bare_memory own{near, 0}, there{far, all_access};
  far_window window{far};
  std::uint32_t const key = window.bind(there);

  window_ended() {
    REQUIRE(far.post_receive(there.part(0, 8)) == 0);
    expect({invalidate(key, IBV_WR_SEND_WITH_INV)}, {IBV_WC_SUCCESS});
  }
};

}  // namespace

TEST_CASE("a window gives what it was bound for, until it is invalidated") {
  connected w;
  bare_memory own(w.near, IBV_ACCESS_LOCAL_WRITE), there(w.far, IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_MW_BIND);
  far_window window(w.far);
  auto const key = window.bind(there);
  w.expect({remote(IBV_WR_RDMA_WRITE, there.begin + 64, key, own.part(8, 8)),
            remote(IBV_WR_RDMA_READ, there.begin + 120, key, own.part(0, 8))},
           {IBV_WC_SUCCESS, IBV_WC_SUCCESS});
  CHECK(there.words[8] == untouched);
  CHECK(own.words[0] == 15 * untouched);
  CHECK(w.far.api->deregister_memory(there.region) == -EBUSY);
  REQUIRE(w.far.post({invalidate(key)}) == 0);
  CHECK(w.far.statuses(w.far.sends) == statuses{IBV_WC_SUCCESS});
  there.words[8] = 0;
  w.expect({remote(IBV_WR_RDMA_WRITE, there.begin + 64, key, own.part(8, 8))}, {IBV_WC_REM_ACCESS_ERR});
  CHECK(there.words[8] == 0);
}

TEST_CASE("a window ends where it ends, and grants what it grants, though its region goes on") {
  struct attempt {
    char const* what;
    ibv_wr_opcode opcode;
    std::uint64_t from, bytes;
    unsigned access;
    bool works;
  };
  constexpr unsigned zero_based = IBV_ACCESS_ZERO_BASED | IBV_ACCESS_REMOTE_WRITE;
  for (attempt const& each : {
           attempt{"all of it", IBV_WR_RDMA_WRITE, 64, 64, IBV_ACCESS_REMOTE_WRITE, true},
           attempt{"too early", IBV_WR_RDMA_WRITE, 63, 8, IBV_ACCESS_REMOTE_WRITE, false},
           attempt{"too long", IBV_WR_RDMA_WRITE, 64, 65, IBV_ACCESS_REMOTE_WRITE, false},
           attempt{"written, and may be read", IBV_WR_RDMA_WRITE, 64, 8, IBV_ACCESS_REMOTE_READ, false},
           attempt{"read, and may be written", IBV_WR_RDMA_READ, 64, 8, IBV_ACCESS_REMOTE_WRITE, false},
           attempt{"from zero", IBV_WR_RDMA_WRITE, 0, 64, zero_based, true},
           attempt{"from zero, too long", IBV_WR_RDMA_WRITE, 0, 65, zero_based, false},
           attempt{"from zero, as if not", IBV_WR_RDMA_WRITE, 64, 8, zero_based, false},
       }) {
    INFO(each.what);
    connected w;
    bare_memory own(w.near, all_access), there(w.far, all_access);
    far_window window(w.far);
    auto const key = window.bind(there, each.access);
    auto const base = (each.access & IBV_ACCESS_ZERO_BASED) != 0 ? 0 : there.begin;
    own.words.fill(5);
    w.expect({remote(each.opcode, base + each.from, key, own.part(0, each.bytes))}, {each.works ? IBV_WC_SUCCESS : IBV_WC_REM_ACCESS_ERR});
    CHECK((there.words[8] == 5) == each.works);
    CHECK(there.words[7] == 7 * untouched);
    CHECK(there.words[16] == 16 * untouched);
  }
}

TEST_CASE("a binding that the adapter refuses ends the pair that asked for it") {
  struct attempt {
    char const* what;
    int access;
    std::function<void(ibv_send_wr&)> change;
    bool works;
  };
  auto const nothing = [](ibv_send_wr&) {};
  constexpr int bindable = IBV_ACCESS_MW_BIND;
  for (attempt const& each : {
           attempt{"as it should be", IBV_ACCESS_LOCAL_WRITE | bindable, nothing, true},
           attempt{"a region without leave to bind", IBV_ACCESS_LOCAL_WRITE, nothing, false},
           attempt{"to be written, on what is not writable", bindable, nothing, false},
           attempt{"to be read only, on what is not writable", bindable,
                   [](ibv_send_wr& to) { to.bind_mw.bind_info.mw_access_flags = IBV_ACCESS_REMOTE_READ; }, true},
           attempt{"for atomics, on what is not writable", bindable,
                   [](ibv_send_wr& to) { to.bind_mw.bind_info.mw_access_flags = IBV_ACCESS_REMOTE_ATOMIC; }, false},
           attempt{"too long", all_access, [](ibv_send_wr& to) { to.bind_mw.bind_info.length = 193; }, false},
           attempt{"to the end", all_access, [](ibv_send_wr& to) { to.bind_mw.bind_info.length = 192; }, true},
           attempt{"too early", all_access, [](ibv_send_wr& to) { to.bind_mw.bind_info.addr -= 65; }, false},
           attempt{"of no length", all_access, [](ibv_send_wr& to) { to.bind_mw.bind_info.length = 0; }, false},
           attempt{"a key of another window", all_access, [](ibv_send_wr& to) { to.bind_mw.rkey += 0x100; }, false},
       }) {
    INFO(each.what);
    connected w;
    bare_memory there(w.far, each.access);
    far_window const window(w.far);
    bare_request request = window.binding(there);
    each.change(request.request);
    REQUIRE(w.far.post({request}) == 0);
    CHECK(w.far.statuses(w.far.sends) == statuses{each.works ? IBV_WC_SUCCESS : IBV_WC_MW_BIND_ERR});
    CHECK(connected::is_failed(w.far) == !each.works);
    CHECK(!connected::is_failed(w.near));
    w.far.end();
  }
}

TEST_CASE("a window is not bound to a region that begins at zero, nor to one of another domain") {
  for (bool const other_domain : {false, true}) {
    connected w;
    ibv_pd* other = nullptr;
    REQUIRE(w.far.api->allocate_domain(w.far.device, other) == 0);
    {
      bare_memory there(w.far, other_domain ? all_access : all_access | IBV_ACCESS_ZERO_BASED, std::nullopt, other_domain ? other : nullptr);
      far_window const window(w.far);
      bare_request request = window.binding(there);
      if (!other_domain) request.request.bind_mw.bind_info.addr = 64;
      REQUIRE(w.far.post({request}) == 0);
      CHECK(w.far.statuses(w.far.sends) == statuses{IBV_WC_MW_BIND_ERR});
    }
    REQUIRE(w.far.api->release_domain(other) == 0);
  }
}

TEST_CASE("a window is bound once at a time, and its owner must know its key of the moment") {
  connected w;
  bare_memory there(w.far, all_access);
  far_window window(w.far);
  auto const first = window.bind(there);
  REQUIRE(w.far.post({invalidate(first)}) == 0);
  REQUIRE(w.far.statuses(w.far.sends) == statuses{IBV_WC_SUCCESS});
  auto const second = window.bind(there);
  CHECK(second != first);
  REQUIRE(w.far.post({window.binding(there)}) == 0);
  CHECK(w.far.statuses(w.far.sends) == statuses{IBV_WC_MW_BIND_ERR});
  w.far.end();

  connected other;
  bare_memory theirs(other.far, all_access);
  far_window forgotten(other.far);
  auto const key = forgotten.bind(theirs);
  REQUIRE(other.far.post({invalidate(key)}) == 0);
  forgotten.made->rkey = key - 1;
  REQUIRE(other.far.post({forgotten.binding(theirs)}) == 0);
  CHECK(other.far.statuses(other.far.sends) == statuses{IBV_WC_SUCCESS, IBV_WC_MW_BIND_ERR});
}

TEST_CASE("only what arrives on the pair that bound a window may use it") {
  connected w;
  bare_host third(w.fabric, "10.0.0.3");
  bare_memory there(w.far, all_access), own(w.near, 0), foreign(third, 0);
  far_window window(w.far);
  auto const key = window.bind(there);
  // The far host's first pair is the near one's; it accepts another, in the same domain.
  rdma_cm_id* const kept = w.far.swap_connection(nullptr);
  third.connect(w.far);
  REQUIRE(third.post({remote(IBV_WR_RDMA_WRITE, there.begin + 64, there.region->rkey, foreign.part(8, 8))}) == 0);
  REQUIRE(third.statuses(third.sends) == statuses{IBV_WC_SUCCESS});
  REQUIRE(third.post({remote(IBV_WR_RDMA_WRITE, there.begin + 64, key, foreign.part(16, 8))}) == 0);
  CHECK(third.statuses(third.sends) == statuses{IBV_WC_REM_ACCESS_ERR});
  CHECK(there.words[8] == untouched);
  third.end();
  w.far.end();
  static_cast<void>(w.far.swap_connection(kept));
  w.expect({remote(IBV_WR_RDMA_WRITE, there.begin + 64, key, own.part(24, 8))}, {IBV_WC_SUCCESS});
  CHECK(there.words[8] == 3 * untouched);
  w.far.end();
}

TEST_CASE("a pair does not invalidate what another one bound") {
  connected w;
  bare_host third(w.fabric, "10.0.0.3");
  bare_memory there(w.far, all_access), own(w.near, 0);
  far_window window(w.far);
  auto const key = window.bind(there);
  rdma_cm_id* const kept = w.far.swap_connection(nullptr);
  third.connect(w.far);
  REQUIRE(w.far.post({invalidate(key)}) == 0);
  CHECK(w.far.statuses(w.far.sends) == statuses{IBV_WC_LOC_QP_OP_ERR});
  third.end();
  w.far.end();
  static_cast<void>(w.far.swap_connection(kept));
  w.expect({remote(IBV_WR_RDMA_WRITE, there.begin + 64, key, own.part(24, 8))}, {IBV_WC_SUCCESS});
  w.far.end();
}

TEST_CASE("to invalidate what is no window's key ends the pair") {
  connected w;
  bare_memory there(w.far, all_access);
  REQUIRE(w.far.post({invalidate(there.region->rkey)}) == 0);
  CHECK(w.far.statuses(w.far.sends) == statuses{IBV_WC_LOC_QP_OP_ERR});
  CHECK(connected::is_failed(w.far));
}

TEST_CASE("a message can invalidate a window of its receiver, who is told which") {
  window_ended w;
  CHECK(w.far.api->deregister_memory(std::exchange(w.there.region, nullptr)) == 0);

  connected other;
  bare_memory theirs(other.far, all_access), mine(other.near, 0);
  far_window second(other.far);
  auto const other_key = second.bind(theirs);
  REQUIRE(other.far.post_receive(theirs.part(0, 8)) == 0);
  REQUIRE(other.near.post({invalidate(other_key, IBV_WR_SEND_WITH_INV)}) == 0);
  CHECK(other.near.statuses(other.near.sends) == statuses{IBV_WC_SUCCESS});
  auto const received = other.far.told(other.far.receives);
  REQUIRE(received.size() == 1);
  CHECK(received[0].wc_flags == IBV_WC_WITH_INV);
  CHECK(received[0].invalidated_rkey == other_key);
  other.expect({remote(IBV_WR_RDMA_WRITE, theirs.begin + 64, other_key, mine.part(8, 8))}, {IBV_WC_REM_ACCESS_ERR});
}

TEST_CASE("a window that a message has ended cannot be ended once more") {
  window_ended w;
  REQUIRE(w.far.post({invalidate(w.key)}) == 0);
  CHECK(w.far.statuses(w.far.sends).back() == IBV_WC_LOC_QP_OP_ERR);
}

TEST_CASE("a message cannot invalidate what is not there") {
  connected w;
  bare_memory there(w.far, all_access);
  REQUIRE(w.far.post_receive(there.part(0, 8)) == 0);
  REQUIRE(w.near.post({invalidate(there.region->rkey, IBV_WR_SEND_WITH_INV)}) == 0);
  CHECK(w.near.statuses(w.near.sends) == statuses{IBV_WC_REM_OP_ERR});
  CHECK(w.far.statuses(w.far.receives) == statuses{IBV_WC_REM_INV_REQ_ERR});
}

TEST_CASE("a window ends with its pair, and when it is released, bound or not") {
  connected w;
  bare_memory own(w.near, 0), there(w.far, all_access);
  {
    far_window window(w.far);
    auto const key = window.bind(there);
    window.end();
    w.expect({remote(IBV_WR_RDMA_WRITE, there.begin + 64, key, own.part(8, 8))}, {IBV_WC_REM_ACCESS_ERR});
    CHECK(there.words[8] == 8 * untouched);
  }
  connected other;
  bare_memory theirs(other.far, all_access);
  far_window second(other.far);
  static_cast<void>(second.bind(theirs));
  CHECK(other.far.api->deregister_memory(theirs.region) == -EBUSY);
  other.far.end();
  CHECK(other.far.api->deregister_memory(std::exchange(theirs.region, nullptr)) == 0);
}

TEST_CASE("where there are no windows none is made, and the device says so") {
  for (bool const windows : {true, false}) {
    for (ibv_node_type const type : {IBV_NODE_CA, IBV_NODE_RNIC}) {
      fake_fabric fabric(type);
      CHECK(fabric.rules.windows == (type == IBV_NODE_CA));
      fabric.rules.windows = windows;
      bare_host host(fabric, "10.0.0.1");
      ibv_device_attr told{};
      REQUIRE(host.api->query_device(host.device, told) == 0);
      CHECK((told.max_mw != 0) == windows);
      CHECK(((told.device_cap_flags & IBV_DEVICE_MEM_WINDOW_TYPE_2B) != 0) == windows);
      ibv_mw* window = nullptr;
      CHECK(host.api->allocate_window(host.domain, window) == (windows ? 0 : -EOPNOTSUPP));
      if (windows) CHECK(host.api->release_window(window) == 0);
    }
  }
}
