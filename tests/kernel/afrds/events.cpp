// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/afrds/events.hpp"

#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <iostream>
#include <nlohmann/json.hpp>

namespace rdsco::kernel_lab {

void say(nlohmann::json const& line) { std::cout << line.dump() << std::endl; }

driver_events::driver_events(socket_address const& local, std::uint16_t go_port) {
  sigset_t set;
  sigemptyset(&set);
  for (auto const number : {SIGUSR1, SIGTERM, SIGINT}) {
    sigaddset(&set, number);
  }
  sigprocmask(SIG_BLOCK, &set, nullptr);
  signals_ = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  if (signals_ < 0) {
    throw socket_error("signalfd");
  }
  if (go_port == 0) {
    return;
  }
  auto address = local;
  address.set_port(go_port);
  go_socket_ = socket(local.family(), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (go_socket_ < 0 || bind(go_socket_, address.data(), address.size()) != 0) {
    throw socket_error("bind of the go port, UDP " + address.text());
  }
}

driver_events::~driver_events() {
  close(signals_);
  if (go_socket_ >= 0) {
    close(go_socket_);
  }
}

void driver_events::read() {
  signalfd_siginfo info{};
  while (::read(signals_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    (info.ssi_signo == SIGUSR1 ? go_ : stopped_) = true;
  }
  char byte = 0;
  while (go_socket_ >= 0 && recv(go_socket_, &byte, 1, 0) >= 0) {
    go_ = true;
  }
}

}  // namespace rdsco::kernel_lab
