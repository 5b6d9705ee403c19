// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "node/event_signal.hpp"

#include <rdsco/detail/io_backend.hpp>
#include <rdsco/fwd.hpp>
#include <rdsco/task.hpp>

#include <system_error>

namespace rdsco::detail {

class tcp_transport;

/// Takes the connections that peers open to one of the node's addresses.
class listener {
 public:
  listener(tcp_transport& owner, local_host& host) noexcept;
  ~listener();
  listener(listener const&) = delete;
  listener& operator=(listener const&) = delete;

  /// Binds and listens; nothing is under way yet.
  [[nodiscard]] std::error_code open();
  /// Accepts until stop(), then closes.
  [[nodiscard]] task<> run();
  void stop() noexcept;

 private:
  struct own_accept : accept_operation {
    explicit own_accept(listener& of) noexcept : accept_operation(&accepted), owner(of) {}
    static void accepted(io_operation& self) noexcept { static_cast<own_accept&>(self).owner.signal_.raise(1); }
    listener& owner;
  };
  [[nodiscard]] task<> take();

  tcp_transport& owner_;
  local_host& host_;
  io_backend& io_;
  event_signal signal_;
  io_handle handle_;
  own_accept accepting_;
  bool stopping_ = false;
};

}  // namespace rdsco::detail
