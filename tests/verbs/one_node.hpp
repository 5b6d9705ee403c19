// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "verbs/faulty_exchange.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace rdsco::test {

/// What adapters have done for peers.
struct adapter_work {
  std::uint64_t messages = 0, remote = 0, atomics = 0;

  void watch(fake_fabric& on) {
    on.on_message = [this](ibv_send_wr const&, std::span<std::byte const>) { ++messages; };
    on.on_remote = [this](ibv_send_wr const& request) {
      ++remote;
      atomics += request.opcode == IBV_WR_ATOMIC_FETCH_AND_ADD || request.opcode == IBV_WR_ATOMIC_CMP_AND_SWP;
    };
  }
};

/// One node with two addresses, 10.0.0.1 and 10.0.0.2, on one adapter; whatever happens, nothing of it is left.
template <class One, class Other = One>
struct one_node {
  fake_fabric fabric;
  adapter_work seen;
  loop where;
  node on;
  rdsco::socket from, into;

  explicit one_node(verbs_options const& tuning = quick(), socket_options const& buffers = {}, std::function<void(fake_fabric&)> const& prepare = {})
      : fabric(One::node_type) {
    current_fabric = &fabric;
    if (prepare) prepare(fabric);
    seen.watch(fabric);
    node_options options;
    options.own<One>(at("10.0.0.1")).template own<Other>(at("10.0.0.2"));
    options.verbs = tuning;
    options.limits.connect = 100ms;
    on = test::open(where, options);
    from = bound(on, "10.0.0.1", 4000, buffers);
    into = bound(on, "10.0.0.2", 5000, buffers);
  }
  ~one_node() {
    from.close();
    into.close();
    block_on(where, [](node& ending) -> task<> { co_await ending.close(0ns); }(on));
    if (on) CHECK(on.memory_in_use() == 0);
    on = node();
    require_nothing_left(fabric);
    CHECK(where.frames() == 0);
    current_fabric = nullptr;
  }
  one_node(one_node const&) = delete;
  one_node& operator=(one_node const&) = delete;

  /// The transport of the connection from one address to another, as the tables say. Empty: there is none.
  [[nodiscard]] std::string carried_by(address const& local, address const& peer) {
    for (auto const& row : on.tables().connections)
      if (row.local == local && row.peer == peer) return std::string(row.transport);
    return {};
  }
};

}  // namespace rdsco::test
