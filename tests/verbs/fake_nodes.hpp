// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "support/nodes.hpp"
#include "transports/ib/fabric.hpp"
#include "transports/iwarp/fabric.hpp"
#include "transports/verbs/typed_transport.hpp"
#include "verbs/fake_fabric.hpp"

#include <rdsco/sleep.hpp>
#include <rdsco/verbs/ib.hpp>
#include <rdsco/verbs/iwarp.hpp>

#include <functional>
#include <memory>
#include <type_traits>

namespace rdsco::test {

/// The fabric on which nodes of the test under way are opened.
inline fake_fabric* current_fabric = nullptr;

/// A transport on the fake adapters of the current fabric.
template <class Tag, detail::verbs_fabric Fabric>
struct on_fake {
  static constexpr std::string_view name = Tag::name;
  static constexpr transport_capabilities capabilities = Tag::capabilities;
  static constexpr ibv_node_type node_type = Fabric::capabilities.node_type;
  [[nodiscard]] static std::unique_ptr<detail::transport> make(detail::node_core& node) {
    std::vector<address> addresses;
    for (auto const& own : node.options.owned()) addresses.push_back(own.at);
    return std::make_unique<detail::typed_verbs_transport<Fabric>>(node, current_fabric->host(addresses));
  }
};
using fake_ib = on_fake<ib, detail::ib_fabric>;
using fake_iwarp = on_fake<iwarp, detail::iwarp_fabric>;

inline task<> joined(task_group& group) { co_await group.join(); }

inline void turn(loop& where, unsigned times) {
  for (unsigned at = 0; at < times; ++at) static_cast<void>(where.poll());
}

/// The nodes are gone: they left nothing on their adapters, and did nothing that a fabric, a driver or a kernel would not bear.
inline void require_nothing_left(fake_fabric const& on) {
  REQUIRE(on.alive() == 0);
  REQUIRE(on.unreceived == 0);
  REQUIRE(on.spoke_first == 0);
  REQUIRE(on.pulled_away == 0);
  REQUIRE(on.left_bound == 0);
}

/// Two hosts on one fabric, both nodes on one loop. Neither does what ends a connection on that fabric, nor lets go of memory that an
/// adapter has, nor of a queue pair that a window is bound to.
class two_on_fabric {
  using owning = void (*)(node_options& options, address const& at);
  owning own_;

 public:
  fake_fabric fabric;
  loop where;
  node near, far;
  rdsco::socket from, into;

  template <class Transport>
  explicit two_on_fabric(std::type_identity<Transport>, verbs_options const& tuning = {}, socket_options const& buffers = {},
                         std::function<void(fake_fabric&)> const& prepare = {})
      : own_([](node_options& options, address const& at) { options.own<Transport>(at); }), fabric(Transport::node_type) {
    current_fabric = &fabric;
    if (prepare) prepare(fabric);
    near = open_at("10.0.0.1", tuning);
    far = open_at("10.0.0.2", tuning);
    from = bound(near, "10.0.0.1", 4000, buffers);
    into = bound(far, "10.0.0.2", 5000, buffers);
  }
  ~two_on_fabric() {
    from.close();
    into.close();
    block_on(where, close_both());
    near = node();
    far = node();
    require_nothing_left(fabric);
    current_fabric = nullptr;
  }
  two_on_fabric(two_on_fabric const&) = delete;
  two_on_fabric& operator=(two_on_fabric const&) = delete;

  [[nodiscard]] node open_at(std::string_view host, verbs_options const& tuning) {
    node_options options;
    own_(options, at(host));
    options.allow(net("10.0.0.0/24")).allow(net("fd00::/16"));
    options.verbs = tuning;
    options.limits.connect = 100ms;
    return test::open(where, options);
  }
  /// Lets both nodes go on until it is so.
  template <class Condition>
  void wait_until(Condition const& holds) {
    time_point const limit = where.now() + patience;
    while (!holds()) {
      REQUIRE(where.now() < limit);
      block_on(where, a_moment());
    }
  }
  task<> close_both() {
    co_await near.close(0ns);
    co_await far.close(0ns);
  }

 private:
  static task<> a_moment() { static_cast<void>(co_await sleep(1ms)); }
};

template <class Transport>
struct two_on : two_on_fabric {
  explicit two_on(verbs_options const& tuning = {}, socket_options const& buffers = {}, std::function<void(fake_fabric&)> const& prepare = {})
      : two_on_fabric(std::type_identity<Transport>(), tuning, buffers, prepare) {}
};

}  // namespace rdsco::test
