// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/node.hpp>
#include <rdsco/result.hpp>
#include <rdsco/socket.hpp>
#include <rdsco/transport.hpp>

#include <cstdint>
#include <utility>

namespace rdsco {

/// A socket whose transport is known when the program is compiled: what that transport cannot do does not compile.
/// The type-erased `socket` offers the same calls and answers not_supported.
///
/// T is the transport of the address that the socket is bound to. Peers of the same node are reached as T's `bridging` says: through the
/// adapter, if they are T's as well, or through loopback, and those of the socket's own address always through that; with T's
/// set of operations.
template <class Transport>
class basic_socket : private socket {
  static_assert(transport_tag<Transport>, "basic_socket needs a transport, such as rdsco::tcp");

 public:
  static constexpr transport_capabilities capabilities = Transport::capabilities;

  basic_socket() noexcept = default;

  /// As node::bind(). Errors: also address_not_owned where another transport carries the address.
  [[nodiscard]] static result<basic_socket> bind(node& on, address const& at, std::uint16_t port = 0, socket_options const& options = {}) {
    if (on.transport_of(at) != Transport::name) return errc::address_not_owned;
    auto bound = on.bind(at, port, options);
    if (bound.ec) return bound.ec;
    return basic_socket(std::move(bound.data));
  }

  using socket::cancel_sent_to;
  using socket::close;
  using socket::default_peer;
  using socket::drain;
  using socket::local;
  using socket::peek;
  using socket::receive;
  using socket::receive_into;
  using socket::send;
  using socket::send_to;
  using socket::set_buffers;
  using socket::set_default_peer;
  using socket::try_receive;
  using socket::try_send_to;
  using socket::unacknowledged;
  using socket::writable;
  using socket::operator bool;

  [[nodiscard]] task<result<region>> register_memory(mutable_buffer memory)
    requires(capabilities.remote_memory != registration::none)
  {
    return socket::register_memory(memory);
  }
  template <class... Arguments>
  [[nodiscard]] remote_awaiter rdma_write(Arguments const&... arguments) noexcept
    requires(capabilities.remote_memory != registration::none)
  {
    return socket::rdma_write(arguments...);
  }
  template <class... Arguments>
  [[nodiscard]] remote_awaiter rdma_read(Arguments const&... arguments) noexcept
    requires(capabilities.remote_memory != registration::none)
  {
    return socket::rdma_read(arguments...);
  }
  template <class... Arguments>
  [[nodiscard]] atomic_awaiter fetch_add(Arguments const&... arguments) noexcept
    requires(capabilities.atomics)
  {
    return socket::fetch_add(arguments...);
  }
  template <class... Arguments>
  [[nodiscard]] atomic_awaiter compare_swap(Arguments const&... arguments) noexcept
    requires(capabilities.atomics)
  {
    return socket::compare_swap(arguments...);
  }

  std::error_code set_type_of_service(std::uint8_t value) noexcept
    requires(capabilities.type_of_service)
  {
    return socket::set_type_of_service(value);
  }

  /// Gives the capability checks up.
  [[nodiscard]] socket erase() && noexcept { return std::move(static_cast<socket&>(*this)); }

 private:
  explicit basic_socket(socket&& bound) noexcept : socket(std::move(bound)) {}
};

}  // namespace rdsco
