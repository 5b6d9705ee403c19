// SPDX-License-Identifier: BSD-2-Clause
#include "verbs/device.hpp"

#include "verbs/completion_queue.hpp"

namespace rdsco::verbs {

device::device(api& calls, loop& where, ibv_context* native, void* context, function ended) noexcept
    : api_(calls), native_(native), watch_(where, this, &drain, [](void* self) noexcept {
        auto& ends = *static_cast<device*>(self);
        ends.ended_(ends.context_);
      }),
      windows_(calls), slots_(calls), ended_(ended), context_(context) {}

device::~device() {
  windows_.clear();
  slots_.flush();
  if (channel_ != nullptr) static_cast<void>(api_.destroy_channel(channel_));
  if (domain_ != nullptr) static_cast<void>(api_.release_domain(domain_));
}

int device::open() noexcept {
  if (int const failed = api_.query_device(native_, attributes_)) return failed;
  slots_.set_limits(attributes_.max_mr);
  if (int const failed = api_.allocate_domain(native_, domain_)) return failed;
  return api_.create_channel(native_, channel_);
}

void device::start() noexcept { watch_.start(api_.channel_descriptor(channel_)); }

void device::stop() noexcept { watch_.stop(); }

void device::drain(void* self) noexcept {
  auto& from = *static_cast<device*>(self);
  void* queue = nullptr;
  while (from.api_.next_queue_event(from.channel_, queue) == 0) static_cast<completion_queue*>(queue)->event_taken();
}

}  // namespace rdsco::verbs
