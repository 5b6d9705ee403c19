// SPDX-License-Identifier: BSD-2-Clause
#include "partner.hpp"

#include "pin.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <sstream>
#include <stdexcept>
#include <system_error>

namespace rdsco::bench {

namespace {

void enter_network(std::string const& name) {
  if (name.empty()) return;
  int const there = ::open(("/run/netns/" + name).c_str(), O_RDONLY | O_CLOEXEC);
  if (there < 0 || ::setns(there, CLONE_NEWNET) != 0) throw std::system_error(errno, std::generic_category(), "network namespace " + name);
  ::close(there);
}

void write_all(int to, std::string const& text) {
  for (std::size_t done = 0; done < text.size();) {
    ssize_t const count = ::write(to, text.data() + done, text.size() - done);
    if (count <= 0) throw std::system_error(errno, std::generic_category(), "pipe");
    done += static_cast<std::size_t>(count);
  }
}

[[noreturn]] void run_server(request const& asked, partner::server const& serve, int to_parent) noexcept {
  try {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    move_to(asked.server);
    figures const found = serve([&] { write_all(to_parent, "+"); });
    std::ostringstream text;
    for (auto const& [name, value] : found) text << name << ' ' << value << '\n';
    write_all(to_parent, text.str());
    ::_exit(0);
  } catch (std::exception const& error) {
    std::fprintf(stderr, "rdsco_bench: the server failed: %s\n", error.what());
  } catch (...) {
    std::fprintf(stderr, "rdsco_bench: the server failed\n");
  }
  ::_exit(1);
}

}  // namespace

void move_to(place const& where) {
  pin(where.core);
  enter_network(where.network);
}

partner::partner(request const& asked, server const& serve) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  child_ = ::fork();
  if (child_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (child_ == 0) {
    ::close(ends[0]);
    run_server(asked, serve, ends[1]);
  }
  ::close(ends[1]);
  from_child_ = ends[0];
  char ready = 0;
  if (::read(from_child_, &ready, 1) != 1) {
    static_cast<void>(reap());
    throw std::runtime_error("the server ended before it was ready");
  }
  move_to(asked.client);
}

partner::~partner() {
  if (child_ > 0) ::kill(child_, SIGKILL);
  static_cast<void>(reap());
}

int partner::reap() noexcept {
  int status = 0;
  if (child_ > 0) ::waitpid(child_, &status, 0);
  if (from_child_ >= 0) ::close(from_child_);
  child_ = from_child_ = -1;
  return status;
}

figures partner::join() {
  std::string text;
  char some[512];
  for (ssize_t count; (count = ::read(from_child_, some, sizeof some)) > 0;) text.append(some, static_cast<std::size_t>(count));
  if (reap() != 0) throw std::runtime_error("the server failed");
  figures found;
  std::istringstream lines(text);
  std::string name;
  for (double value; lines >> name >> value;) found[name] = value;
  return found;
}

}  // namespace rdsco::bench
