// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/peer/driver.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <iostream>
#include <nlohmann/json.hpp>
#include <system_error>

namespace rdsco::kernel_lab {

void say(nlohmann::json const& line) { std::cout << line.dump() << std::endl; }

driver::driver(loop& where, waits what)
    : where_(where), may_send_(where, !what.to_send), may_receive_(where, !what.to_receive) {
  sigset_t set;
  sigemptyset(&set);
  for (auto const number : {SIGUSR1, SIGTERM, SIGINT}) {
    sigaddset(&set, number);
  }
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signals_ = signalfd(-1, &set, SFD_CLOEXEC);
  ended_ = eventfd(0, EFD_CLOEXEC);
  if (signals_ < 0 || ended_ < 0) {
    throw std::system_error(errno, std::generic_category(), "signalfd, eventfd");
  }
  listener_ = std::thread(&driver::listen, this, what.on_stdin);
}

driver::~driver() {
  eventfd_write(ended_, 1);
  listener_.join();
  close(ended_);
  close(signals_);
}

void driver::listen(bool on_stdin) {
  pollfd waiting[] = {{signals_, POLLIN, 0}, {ended_, POLLIN, 0}, {on_stdin ? STDIN_FILENO : -1, POLLIN, 0}};
  while (waiting[1].revents == 0) {
    poll(waiting, std::size(waiting), -1);
    if (waiting[0].revents != 0) {
      take_signal();
    }
    if (waiting[2].revents != 0 && !take_line()) {
      waiting[2].fd = -1;
    }
  }
}

void driver::take_signal() {
  signalfd_siginfo info{};
  if (read(signals_, &info, sizeof info) != static_cast<ssize_t>(sizeof info)) {
    return;
  }
  if (info.ssi_signo == SIGUSR1) {
    go();
  } else {
    stop_.request_stop();
  }
}

/// False at the end of stdin.
bool driver::take_line() {
  std::string line;
  if (!std::getline(std::cin, line)) {
    return false;
  }
  if (line == "go") {
    go();
  }
  return true;
}

void driver::go() {
  where_.post([this] {
    may_send_.open();
    may_receive_.open();
  });
}

}  // namespace rdsco::kernel_lab
