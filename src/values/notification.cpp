// SPDX-License-Identifier: BSD-2-Clause
#include <rdsco/error.hpp>
#include <rdsco/notification.hpp>

namespace rdsco {

notification notification_of(std::error_code const& outcome) noexcept {
  if (!outcome) return notification::success;
  if (outcome == errc::remote_access) return notification::remote_error;
  // What a kernel calls so comes of RDS_CANCEL_SENT_TO, or of a socket that closes.
  for (errc const each : {errc::canceled, errc::timed_out, errc::withdrawn, errc::may_arrive, errc::closed})
    if (outcome == each) return notification::canceled;
  if (outcome == errc::operation_dropped || outcome == errc::stale_offer) return notification::dropped;
  return notification::other_error;
}

}  // namespace rdsco
