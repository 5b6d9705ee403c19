// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <arpa/inet.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <initializer_list>

namespace rdsco::test {

/// The system takes an address over in its own time, even where no other host could have it.
inline bool wait_until_bindable(char const* text) {
  sockaddr_in6 own{};
  own.sin6_family = AF_INET6;
  if (::inet_pton(AF_INET6, text, &own.sin6_addr) != 1) return false;
  for (int attempt = 0; attempt < 10'000; ++attempt) {
    int const probe = ::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool const bound = probe >= 0 && ::bind(probe, reinterpret_cast<sockaddr const*>(&own), sizeof own) == 0;
    if (probe >= 0) ::close(probe);
    if (bound) return true;
    ::poll(nullptr, 0, 1);
  }
  return false;
}

/// Moves this process into a network of its own whose loopback interface has these IPv6 addresses. False where the system
/// does not allow that. Threads: before there is a second one.
inline bool enter_private_network(std::initializer_list<char const*> addresses) {
  if (::unshare(CLONE_NEWNET) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return false;
  int const handle = ::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (handle < 0) return false;
  ifreq link{};
  std::strcpy(link.ifr_name, "lo");
  bool fine = ::ioctl(handle, SIOCGIFFLAGS, &link) == 0;
  link.ifr_flags = static_cast<short>(link.ifr_flags | IFF_UP);
  fine = fine && ::ioctl(handle, SIOCSIFFLAGS, &link) == 0;
  for (char const* const each : addresses) {
    in6_ifreq wanted{};
    fine = fine && ::inet_pton(AF_INET6, each, &wanted.ifr6_addr) == 1;
    wanted.ifr6_prefixlen = 128;
    wanted.ifr6_ifindex = static_cast<int>(::if_nametoindex("lo"));
    fine = fine && ::ioctl(handle, SIOCSIFADDR, &wanted) == 0;
  }
  ::close(handle);
  for (char const* const each : addresses) fine = fine && wait_until_bindable(each);
  return fine;
}

}  // namespace rdsco::test
