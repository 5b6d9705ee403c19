// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <liburing.h>

#include <array>
#include <cerrno>

namespace rdsco::detail {

/// What every kernel must have: completions are not dropped, a wait takes a timeout, sockets need no threads, and what a
/// submission points to may go away once it is submitted. Multishot polls have no flag of their own; RSRC_TAGS came with the
/// same kernel, 5.13.
inline constexpr unsigned ring_features_needed =
    IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_FAST_POLL | IORING_FEAT_SUBMIT_STABLE | IORING_FEAT_RSRC_TAGS;

/// Tries set-up flags from the best to the plainest; a kernel that does not know a flag says EINVAL, and the next set goes
/// without it. `set_up(flags)` returns 0 or -errno; so does this.
template <class SetUp>
int probe_ring_flags(SetUp set_up) noexcept {
  // R_DISABLED: the thread that first runs the loop becomes the ring's one issuer, whichever thread made the loop.
  constexpr unsigned base = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_R_DISABLED;
  constexpr unsigned cooperative = IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
  constexpr std::array<unsigned, 5> sets{
      base | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,  // 6.1
      base | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | cooperative,                                            // 6.0
      base | IORING_SETUP_SUBMIT_ALL | cooperative,                                                                         // 5.19
      base | IORING_SETUP_SUBMIT_ALL,                                                                                       // 5.18
      base,
  };
  int outcome = -EINVAL;
  for (unsigned const flags : sets) {
    outcome = set_up(flags);
    if (outcome != -EINVAL) break;
  }
  return outcome;
}

}  // namespace rdsco::detail
