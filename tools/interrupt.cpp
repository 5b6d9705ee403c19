// SPDX-License-Identifier: BSD-2-Clause
#include "tools/interrupt.hpp"

#include "tools/failure.hpp"

#include <rdsco/detail/stream_operations.hpp>
#include <rdsco/loop.hpp>

#include <csignal>
#include <sys/signalfd.h>
#include <unistd.h>

namespace rdsco::tools {

namespace {

sigset_t ending_signals() noexcept {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

int signal_descriptor() {
  sigset_t const set = ending_signals();
  if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0) return -1;
  return ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

}  // namespace

interrupt::interrupt(loop& where) : where_(where), descriptor_(signal_descriptor()), handle_(where.io().adopt(descriptor_)) {
  if (!handle_) throw failure("cannot watch for signals here");
}

interrupt::~interrupt() {
  where_.io().close(handle_, false);
  ::close(descriptor_);
  sigset_t const set = ending_signals();
  ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

task<> interrupt::wait() {
  auto const ready = co_await detail::ready_awaiter(where_, handle_, detail::readiness::readable);
  if (ready.ec) co_return;
  signalfd_siginfo taken;
  if (::read(descriptor_, &taken, sizeof taken) < 0) co_return;
  sigset_t const set = ending_signals();
  ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace rdsco::tools
