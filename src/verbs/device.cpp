// SPDX-License-Identifier: BSD-2-Clause
#include "verbs/device.hpp"

#include <cerrno>

namespace rdsco::verbs {

device::device(api& calls, loop& where, ibv_context* native, device_user& by) noexcept
    : api_(calls),
      native_(native),
      by_(by),
      completions_(calls, where, this, &watch_ended),
      says_(where, this, &take_events, this, &watch_ended),
      windows_(calls),
      slots_(calls) {}

device::~device() {
  windows_.clear();
  slots_.flush();
  if (events_ != nullptr) api_.close_device_events(events_);
  completions_.close();
  if (domain_ != nullptr) static_cast<void>(api_.release_domain(domain_));
  if (held_by_ != nullptr) api_.destroy_id(held_by_);
  if (held_) api_.let_go_of_device(native_, removed_);
}

int device::open(event_channel& manager, address const& at) noexcept {
  if (int const failed = manager.create_id(*this, held_by_)) return failed;
  if (int const failed = api_.bind_address(held_by_, endpoint(at, 0))) return failed;
  if (api_.device_of(held_by_) != native_) return -ENODEV;
  if (int const failed = api_.hold_device(native_)) return failed;
  held_ = true;
  if (int const failed = api_.query_device(native_, attributes_)) return failed;
  slots_.set_limits(attributes_.max_mr);
  if (int const failed = api_.allocate_domain(native_, domain_)) return failed;
  if (int const failed = api_.open_device_events(native_, events_)) return failed;
  return completions_.open(native_);
}

void device::start() noexcept {
  completions_.start();
  says_.start(api_.device_events_descriptor(events_));
}

void device::stop() noexcept {
  completions_.stop();
  says_.stop();
}

void device::take_events(void* self) noexcept {
  auto& from = *static_cast<device*>(self);
  device_event event;
  while (from.api_.next_device_event(from.events_, event) == 0) from.by_.device_event_arrived(from, event);
}

void device::watch_ended(void* self) noexcept {
  auto& of = *static_cast<device*>(self);
  if (!of.running()) of.by_.device_ended();
}

}  // namespace rdsco::verbs
