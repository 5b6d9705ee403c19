// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a program that passes on what the kernel's RDS used to say passes on something else.
// Forced by: every outcome of a remote operation, and the numbers of linux/rds.h.
#include <rdsco/error.hpp>
#include <rdsco/notification.hpp>

#include <catch2/catch.hpp>
#include <linux/rds.h>

using namespace rdsco;

TEST_CASE("the notification of each outcome") {
  CHECK(notification_of({}) == notification::success);
  CHECK(notification_of(errc::remote_access) == notification::remote_error);
  for (errc const each : {errc::canceled, errc::timed_out, errc::withdrawn, errc::may_arrive, errc::closed})
    CHECK(notification_of(each) == notification::canceled);
  for (errc const each : {errc::operation_dropped, errc::stale_offer}) CHECK(notification_of(each) == notification::dropped);
  for (errc const each : {errc::remote_failed, errc::not_registered, errc::limit_reached}) CHECK(notification_of(each) == notification::other_error);
  CHECK(notification_of(std::make_error_code(std::errc::io_error)) == notification::other_error);
}

TEST_CASE("notifications have the kernel's numbers") {
  CHECK(static_cast<int>(notification::success) == RDS_RDMA_SUCCESS);
  CHECK(static_cast<int>(notification::remote_error) == RDS_RDMA_REMOTE_ERROR);
  CHECK(static_cast<int>(notification::canceled) == RDS_RDMA_CANCELED);
  CHECK(static_cast<int>(notification::dropped) == RDS_RDMA_DROPPED);
  CHECK(static_cast<int>(notification::other_error) == RDS_RDMA_OTHER_ERROR);
}
