// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "verbs/bare_host.hpp"

#include <cstdint>
#include <utility>
#include <vector>

namespace rdsco::test {

using statuses = std::vector<ibv_wc_status>;

inline constexpr int all_access =
    IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_ATOMIC | IBV_ACCESS_MW_BIND;
inline constexpr std::uint64_t untouched = 0x0101010101010101u;  // of words[1]

inline bare_request remote(ibv_wr_opcode opcode, std::uint64_t address, std::uint32_t key, ibv_sge local, std::uint64_t number = 0) {
  bare_request made(opcode, number, {local});
  made.request.wr.rdma.remote_addr = address;
  made.request.wr.rdma.rkey = key;
  return made;
}
inline bare_request add_to(std::uint64_t address, std::uint32_t key, std::uint64_t what, ibv_sge answer) {
  bare_request made(IBV_WR_ATOMIC_FETCH_AND_ADD, 0, {answer});
  made.request.wr.atomic.remote_addr = address;
  made.request.wr.atomic.rkey = key;
  made.request.wr.atomic.compare_add = what;
  return made;
}
inline bare_request swap_at(std::uint64_t address, std::uint32_t key, std::uint64_t expected, std::uint64_t what, ibv_sge answer) {
  bare_request made = add_to(address, key, expected, answer);
  made.request.opcode = IBV_WR_ATOMIC_CMP_AND_SWP;
  made.request.wr.atomic.swap = what;
  return made;
}
inline bare_request sending(ibv_sge from, std::uint64_t number = 0) { return {IBV_WR_SEND, number, {from}}; }
inline bare_request invalidate(std::uint32_t key, ibv_wr_opcode opcode = IBV_WR_LOCAL_INV) {
  bare_request made(opcode, 0);
  made.request.invalidate_rkey = key;
  return made;
}

/// Two hosts, connected; the near one asked.
struct connected {
  fake_fabric fabric;
  bare_host near, far;

  explicit connected(ibv_node_type type = IBV_NODE_CA) : fabric(type), near(fabric, "10.0.0.1"), far(fabric, "10.0.0.2") { near.connect(far); }

  /// Whether the near one's requests end like this, and, if the last of them failed, both ends fail, or the near one alone.
  void expect(std::vector<bare_request> requests, statuses const& ends, bool far_fails = true) {
    REQUIRE(near.post(std::move(requests)) == 0);
    CHECK(near.statuses(near.sends) == ends);
    bool const fails = ends.back() != IBV_WC_SUCCESS;
    CHECK(is_failed(near) == fails);
    CHECK(is_failed(far) == (fails && far_fails));
  }
  static bool is_failed(bare_host const& of) { return static_cast<fake_pair const*>(of.pair)->failed; }
};

/// A window of the far host.
struct far_window {
  bare_host& of;
  ibv_mw* made = nullptr;
  explicit far_window(bare_host& on) : of(on) { REQUIRE(on.api->allocate_window(on.domain, made) == 0); }
  ~far_window() { end(); }
  far_window(far_window const&) = delete;
  far_window& operator=(far_window const&) = delete;
  void end() {
    if (made != nullptr) REQUIRE(of.api->release_window(made) == 0);
    made = nullptr;
  }
  /// On 64 bytes of a region from its byte 64 on, unless the test changes that.
  [[nodiscard]] bare_request binding(bare_memory const& to, unsigned access = IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_WRITE) const {
    bare_request request(IBV_WR_BIND_MW, 0);
    request.request.bind_mw.mw = made;
    request.request.bind_mw.rkey = next_key();
    request.request.bind_mw.bind_info.mr = to.region;
    request.request.bind_mw.bind_info.addr = to.begin + 64;
    request.request.bind_mw.bind_info.length = 64;
    request.request.bind_mw.bind_info.mw_access_flags = access;
    return request;
  }
  [[nodiscard]] std::uint32_t next_key() const { return (made->rkey & ~0xffu) | ((made->rkey + 1) & 0xffu); }
  std::uint32_t bind(bare_memory const& to, unsigned access = IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_WRITE) {
    REQUIRE(of.post({binding(to, access)}) == 0);
    REQUIRE(of.statuses(of.sends) == statuses{IBV_WC_SUCCESS});
    return made->rkey = next_key();
  }
};

}  // namespace rdsco::test
