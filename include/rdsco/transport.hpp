// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/fwd.hpp>

#include <concepts>
#include <cstdint>
#include <memory>
#include <string_view>

namespace rdsco {

/// Who carries traffic between two addresses of one node. `device`: the adapter, as to any other host, if both addresses are the same
/// transport's. `software`: the node itself, by copying. From an address to itself it is always the node.
enum class bridging : std::uint8_t { device, software };
/// How memory is registered for a peer. `direct`: the peer is in this process and is reached by copying.
enum class registration : std::uint8_t { none, direct, fastreg, fmr };

/// What a transport can do, known when the program is compiled.
struct transport_capabilities {
  bridging loopback = bridging::software;  ///< between two addresses of the node that both are this transport's
  registration remote_memory = registration::none;  ///< none: no RDMA
  bool atomics = false;
  /// Types of service travel apart. Without it a socket has none to choose: the kernel maps every value to 0 on TCP.
  bool type_of_service = false;
};

namespace detail {
using transport_maker = std::unique_ptr<transport> (*)(node_core&);
}

/// Between sockets of one node, in its memory. A node also uses it by itself for traffic to its own addresses that no adapter carries
/// (`bridging`).
struct loopback {
  static constexpr std::string_view name = "loopback";
  static constexpr transport_capabilities capabilities = [] {
    transport_capabilities can;
    can.remote_memory = registration::direct;
    can.atomics = true;
    return can;
  }();
  [[nodiscard]] static std::unique_ptr<detail::transport> make(detail::node_core&);
};

/// RDS over TCP, as the Linux kernel speaks it.
struct tcp {
  static constexpr std::string_view name = "tcp";
  static constexpr transport_capabilities capabilities{};
  [[nodiscard]] static std::unique_ptr<detail::transport> make(detail::node_core&);
};

template <class T>
concept transport_tag = requires(detail::node_core& node) {
  { T::name } -> std::convertible_to<std::string_view>;
  { T::capabilities } -> std::convertible_to<transport_capabilities>;
  { T::make(node) } -> std::same_as<std::unique_ptr<detail::transport>>;
};

}  // namespace rdsco
