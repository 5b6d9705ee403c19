// SPDX-License-Identifier: BSD-2-Clause
#include "processes.hpp"

#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace demo {

namespace {

constexpr int patience_ms = 10'000;

[[noreturn]] void become(std::vector<std::string>& arguments, int output, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);  // it died before that
  ::dup2(output, STDOUT_FILENO);
  std::vector<char*> words;
  for (auto& each : arguments) words.push_back(each.data());
  words.push_back(nullptr);
  ::execv("/proc/self/exe", words.data());
  ::_exit(127);
}

}  // namespace

child_process::child_process(std::vector<std::string> arguments) : name_(arguments.back()) {
  int ends[2];
  if (::pipe(ends) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  pid_t const self = ::getpid();
  process_ = ::fork();
  if (process_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (process_ == 0) become(arguments, ends[1], self);
  ::close(ends[1]);
  output_ = ends[0];
}

child_process::child_process(child_process&& other) noexcept
    : name_(std::move(other.name_)), process_(std::exchange(other.process_, -1)), output_(std::exchange(other.output_, -1)) {}

child_process::~child_process() {
  if (process_ > 0) {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  if (output_ >= 0) ::close(output_);
}

void child_process::wait_until_ready() {
  pollfd waiting{output_, POLLIN, 0};
  char letter = 0;
  if (::poll(&waiting, 1, patience_ms) <= 0) throw std::runtime_error("the server " + name_ + " does not start");
  while (letter != '\n')
    if (::read(output_, &letter, 1) != 1) throw std::runtime_error("the server " + name_ + " ended at its start; it says why above");
}

void child_process::wait_for_end() {
  // Its end of the pipe is closed when it ends, and then the pipe is readable.
  pollfd waiting{output_, POLLIN, 0};
  if (::poll(&waiting, 1, patience_ms) <= 0) throw std::runtime_error("the server " + name_ + " does not end");
  int status = 0;
  if (::waitpid(std::exchange(process_, -1), &status, 0) < 0 || status != 0)
    throw std::runtime_error("the server " + name_ + " ended with status " + std::to_string(status));
}

}  // namespace demo
