// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <infiniband/verbs.h>

#include <cerrno>
#include <csignal>
#include <ctime>

namespace rdsco::verbs {

/// A call into rdma-core that may send. Soft-iWARP sends in the thread that calls, on a TCP connection, and where that has ended, the
/// thread gets SIGPIPE like any that writes to one; which ends a process that does not expect it. No other signal is touched, nor this one on
/// another kind of adapter, or where the thread has it blocked anyway.
class no_sigpipe {
 public:
  explicit no_sigpipe(ibv_context const* device) noexcept {
    if (device == nullptr || device->device->node_type != IBV_NODE_RNIC) return;
    sigset_t before;
    blocked_ = ::pthread_sigmask(SIG_BLOCK, &only(), &before) == 0 && ::sigismember(&before, SIGPIPE) == 0;
  }
  no_sigpipe(no_sigpipe const&) = delete;
  no_sigpipe& operator=(no_sigpipe const&) = delete;
  ~no_sigpipe() {
    if (!blocked_) return;
    constexpr timespec at_once{};
    while (::sigtimedwait(&only(), nullptr, &at_once) < 0 && errno == EINTR) {
    }
    static_cast<void>(::pthread_sigmask(SIG_UNBLOCK, &only(), nullptr));
  }

 private:
  [[nodiscard]] static sigset_t const& only() noexcept {
    static sigset_t const made = [] {
      sigset_t set;
      ::sigemptyset(&set);
      ::sigaddset(&set, SIGPIPE);
      return set;
    }();
    return made;
  }
  bool blocked_ = false;
};

}  // namespace rdsco::verbs
