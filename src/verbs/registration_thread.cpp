// SPDX-License-Identifier: BSD-2-Clause
#include "verbs/registration_thread.hpp"

#include <cerrno>
#include <csignal>
#include <pthread.h>
#include <system_error>

namespace rdsco::verbs {

namespace {

// The program's signals are for its own threads; a new one starts with what its maker has blocked.
class signals_blocked {
 public:
  signals_blocked() noexcept {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  signals_blocked(signals_blocked const&) = delete;
  signals_blocked& operator=(signals_blocked const&) = delete;
  ~signals_blocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

}  // namespace

bool registration_thread::begin() noexcept {
  signals_blocked const meanwhile;
  try {
    thread_ = std::thread([this] { call(); });
    return true;
  } catch (std::system_error const&) {
    answer_ = -EAGAIN;
  } catch (std::bad_alloc const&) {
    answer_ = -EAGAIN;
  }
  return false;
}

void registration_thread::call() noexcept {
  answer_ = api_.register_memory(domain_, memory_.data(), memory_.size(), access_, made_);
  loop_.post(*this);
}

// It has posted this, and has nothing else to do.
void registration_thread::done(detail::mail& self) noexcept {
  auto& of = static_cast<registration_thread&>(self);
  of.thread_.join();
  of.complete();
}

}  // namespace rdsco::verbs
