// SPDX-License-Identifier: BSD-2-Clause
#include "loop/acknowledgement_tracker.hpp"

#include <time.h>
// after <time.h>, which it needs
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace rdsco::detail {
namespace {

constexpr unsigned id_for_tcp = 1U << 16;  // SOF_TIMESTAMPING_OPT_ID_TCP, since Linux 6.2; not in Debian 12's headers

bool set_timestamping(int descriptor, unsigned flags) noexcept {
  return ::setsockopt(descriptor, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof flags) == 0;
}

bool is_error_report(cmsghdr const& part) noexcept {
  return (part.cmsg_level == SOL_IP && part.cmsg_type == IP_RECVERR) ||
         (part.cmsg_level == SOL_IPV6 && part.cmsg_type == IPV6_RECVERR);
}

}  // namespace

bool acknowledgement_tracker::enable(int descriptor) noexcept {
  acknowledged_ = 0;
  unsigned const flags = SOF_TIMESTAMPING_TX_ACK | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY;
  return set_timestamping(descriptor, flags | id_for_tcp) || set_timestamping(descriptor, flags);
}

std::optional<std::uint64_t> acknowledgement_tracker::next(int descriptor) noexcept {
  alignas(cmsghdr) std::array<std::byte, 512> control;
  for (;;) {
    msghdr message{};
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    if (::recvmsg(descriptor, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
      if (errno == EINTR) continue;
      return std::nullopt;
    }
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
      if (!is_error_report(*part)) continue;
      sock_extended_err report{};
      std::memcpy(&report, CMSG_DATA(part), sizeof report);
      if (report.ee_origin == SO_EE_ORIGIN_TIMESTAMPING) return extend(report.ee_data);
    }
  }
}

std::uint64_t acknowledgement_tracker::extend(std::uint32_t last_byte) noexcept {
  // Acknowledgements only grow, so the distance from the last one is a forward one unless it repeats.
  auto const forward = last_byte + 1 - static_cast<std::uint32_t>(acknowledged_);
  if (forward < 0x8000'0000U) acknowledged_ += forward;
  return acknowledged_;
}

}  // namespace rdsco::detail
