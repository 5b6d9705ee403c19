// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "support/nodes.hpp"

#include <rdsco/sleep.hpp>

#include <array>
#include <concepts>
#include <memory>
#include <string_view>

namespace rdsco::test {

/// The ways in which two sockets may reach each other. The contract of a socket is the same in all of them.
enum class way : std::uint8_t { same_address, two_addresses, connecting, accepting };

inline constexpr std::array every_way{way::same_address, way::two_addresses, way::connecting, way::accepting};
inline constexpr std::array over_tcp{way::connecting, way::accepting};
inline constexpr std::array over_loopback{way::same_address, way::two_addresses};

inline std::string_view name(way which) {
  constexpr std::array names{"loopback, one address", "loopback, two addresses", "TCP, the near node connects",
                             "TCP, the near node is connected to"};
  return names[static_cast<std::size_t>(which)];
}

/// A near and a far end: addresses of one node, or two nodes on one loop. Over TCP the smaller address connects.
struct world {
  explicit world(way which, node_limits const& bounds = {}, node_limits const& far_bounds = {}, tcp_options tuned = {})
      : how(which) {
    near_host = which == way::accepting ? "127.0.0.2" : "127.0.0.1";
    far_host = which == way::same_address || which == way::accepting ? "127.0.0.1" : "127.0.0.2";
    tuned.port = tcp_port();
    first_ = open(where, options(bounds, tuned, near_host));
    if (!one_node()) second_ = open(where, options(far_bounds, tuned, far_host));
  }
  world(world const&) = delete;
  world& operator=(world const&) = delete;

  [[nodiscard]] bool one_node() const { return how == way::same_address || how == way::two_addresses; }
  [[nodiscard]] node& near() { return first_; }
  [[nodiscard]] node& far() { return one_node() ? first_ : second_; }
  [[nodiscard]] socket near_socket(std::uint16_t port = 0, socket_options const& told = {}) { return bound(near(), near_host, port, told); }
  [[nodiscard]] socket far_socket(std::uint16_t port = 0, socket_options const& told = {}) { return bound(far(), far_host, port, told); }

  /// Closes the nodes and checks that nothing stays behind: no coroutine, no byte.
  void finish() {
    close(near());
    if (!one_node()) close(far());
    CHECK(where.frames() == 0);
  }

  /// Nodes that are still open close themselves.
  void destroy_nodes() {
    first_ = node();
    second_ = node();
  }

  loop where;
  way how;
  std::string_view near_host, far_host;

 private:
  node_options options(node_limits const& bounds, tcp_options const& tuned, std::string_view host) const {
    node_options made;
    made.limits = bounds;
    made.tcp = tuned;
    if (how == way::same_address) return made.own<loopback>(at(host));
    made.own(at(host)).allow(net("127.0.0.0/8"));
    if (how == way::two_addresses) made.own<loopback>(at(far_host));
    return made;
  }
  void close(node& which) {
    block_on(where, which.close(0ns));
    CHECK(which.memory_in_use() == 0);
  }

  node first_;
  node second_;
};

/// Runs `body(world)` in each of these ways.
template <std::size_t N, std::invocable<world&> F>
void in(std::array<way, N> const& ways, F body) {
  for (way const how : ways) {
    INFO(name(how));
    world w(how);
    block_on(w.where, body(w));
    w.finish();
  }
}

/// Completes when `holds()`, or with false when it does not in all the patience there is. Everybody else runs meanwhile.
template <std::predicate F>
task<bool> eventually(F const& holds) {
  loop& where = co_await this_task::loop();
  auto const end = where.now() + patience;
  while (!holds()) {
    if (where.now() > end) co_return false;
    co_await yield();
  }
  co_return true;
}

inline std::size_t unread_bytes(node& on, endpoint const& of) {
  for (auto const& row : on.tables().sockets)
    if (row.bound == of) return row.unread_bytes;
  return 0;
}

}  // namespace rdsco::test
