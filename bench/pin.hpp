// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <sched.h>

#include <cerrno>
#include <system_error>

namespace rdsco::bench {

/// The processors that the process was started with: pinning narrows what the kernel says about it afterwards.
inline cpu_set_t const& allowed_at_start() {
  static cpu_set_t const allowed = [] {
    cpu_set_t found;
    if (::sched_getaffinity(0, sizeof found, &found) != 0) throw std::system_error(errno, std::generic_category(), "sched_getaffinity");
    return found;
  }();
  return allowed;
}

/// This thread, and what it starts, runs on the core of that number among those that the process may use.
inline void pin(int core) {
  cpu_set_t const& allowed = allowed_at_start();
  int const wanted = core % CPU_COUNT(&allowed);
  int seen = 0;
  for (int each = 0; each < CPU_SETSIZE; ++each) {
    if (!CPU_ISSET(each, &allowed) || seen++ != wanted) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(each, &one);
    if (::sched_setaffinity(0, sizeof one, &one) != 0) throw std::system_error(errno, std::generic_category(), "sched_setaffinity");
    return;
  }
}

}  // namespace rdsco::bench
