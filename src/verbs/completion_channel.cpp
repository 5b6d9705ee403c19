// SPDX-License-Identifier: BSD-2-Clause
#include "verbs/completion_channel.hpp"

#include "verbs/completion_queue.hpp"

namespace rdsco::verbs {

// An armed queue makes one event: where none is armed any more nothing is left to be read, and no call need say so.
void completion_channel::drain(void* self) noexcept {
  auto& from = *static_cast<completion_channel*>(self);
  void* queue = nullptr;
  do {
    if (from.api_.next_queue_event(from.native_, queue) != 0) return;
    static_cast<completion_queue*>(queue)->event_taken();
  } while (from.armed_ != 0);
}

}  // namespace rdsco::verbs
