// SPDX-License-Identifier: BSD-2-Clause
#include <rdsco/sleep.hpp>
#include <rdsco/with_timeout.hpp>

namespace rdsco {
namespace {

// A deadline beyond the end of the time line means never.
time_point after(time_point now, duration length) noexcept {
  return length > time_point::max() - now ? time_point::max() : now + length;
}

}  // namespace

void sleep_operation::arm() noexcept {
  when = absolute_ ? time_point(length_) : after(loop_->now(), length_);
  loop_->add_timer(*this);
}

void sleep_operation::on_stop() noexcept {
  loop_->cancel_timer(*this);
  ec_ = errc::canceled;
  complete();
}

void sleep_operation::timer_expired(detail::timer& self) noexcept { static_cast<sleep_operation&>(self).complete(); }

namespace detail {

void deadline::arm(loop& where, duration length) noexcept {
  where_ = &where;
  when = after(where.now(), length);
  where.add_timer(*this);
}

void deadline::disarm() noexcept {
  if (armed()) where_->cancel_timer(*this);
}

}  // namespace detail
}  // namespace rdsco
