// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "support/nodes.hpp"
#include "transports/ib/fabric.hpp"
#include "transports/verbs/typed_transport.hpp"
#include "verbs/fake_fabric.hpp"

#include <rdsco/verbs/ib.hpp>

#include <memory>

namespace rdsco::test {

/// The fabric on which nodes of the test under way are opened.
inline fake_fabric* current_fabric = nullptr;

/// A transport on the fake adapters of the current fabric.
template <class Tag, detail::verbs_fabric Fabric>
struct on_fake {
  static constexpr std::string_view name = Tag::name;
  static constexpr transport_capabilities capabilities = Tag::capabilities;
  [[nodiscard]] static std::unique_ptr<detail::transport> make(detail::node_core& node) {
    std::vector<address> addresses;
    for (auto const& own : node.options.owned()) addresses.push_back(own.at);
    return std::make_unique<detail::typed_verbs_transport<Fabric>>(node, current_fabric->host(addresses));
  }
};
using fake_ib = on_fake<ib, detail::ib_fabric>;

/// Two hosts on one fabric, both nodes on one loop.
struct two_on_fabric {
  fake_fabric fabric;
  loop where;
  node near, far;
  rdsco::socket from, into;

  explicit two_on_fabric(verbs_options const& tuning = {}, socket_options const& buffers = {}) {
    current_fabric = &fabric;
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
    REQUIRE(fabric.alive() == 0);
    current_fabric = nullptr;
  }
  two_on_fabric(two_on_fabric const&) = delete;
  two_on_fabric& operator=(two_on_fabric const&) = delete;

  [[nodiscard]] node open_at(std::string_view host, verbs_options const& tuning) {
    node_options options;
    options.own<fake_ib>(at(host)).allow(net("10.0.0.0/24")).allow(net("fd00::/16"));
    options.verbs = tuning;
    options.limits.connect = 100ms;
    return test::open(where, options);
  }
  task<> close_both() {
    co_await near.close();
    co_await far.close();
  }
};

}  // namespace rdsco::test
