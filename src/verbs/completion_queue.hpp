// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "verbs/api.hpp"

#include <span>

namespace rdsco::verbs {

/// The completion queue of one connection, and the events that were taken for it.
///
/// Use: poll() until it brings nothing, arm(), and poll() once more, because what came in between makes no event.
class completion_queue {
 public:
  using function = void (*)(void* context) noexcept;

  /// `ready` is called when an armed queue has something.
  completion_queue(api& calls, void* context, function ready) noexcept : api_(calls), context_(context), ready_(ready) {}
  completion_queue(completion_queue const&) = delete;
  completion_queue& operator=(completion_queue const&) = delete;
  ~completion_queue() { close(); }

  [[nodiscard]] int open(ibv_context* device, ibv_comp_channel* channel, int entries) noexcept {
    return api_.create_queue(device, entries, this, channel, queue_);
  }
  /// Its queue pair is gone.
  void close() noexcept {
    if (queue_ == nullptr) return;
    if (unacknowledged_ != 0) api_.acknowledge_queue_events(queue_, unacknowledged_);
    static_cast<void>(api_.destroy_queue(queue_));
    queue_ = nullptr;
    unacknowledged_ = 0;
    armed_ = false;
  }

  /// How many completions came, or -errno.
  [[nodiscard]] int poll(std::span<ibv_wc> out) noexcept { return api_.poll(queue_, out); }
  [[nodiscard]] bool armed() const noexcept { return armed_; }
  [[nodiscard]] int arm() noexcept {
    armed_ = true;
    return api_.request_notification(queue_, false);
  }

  /// The channel took an event of this queue. They are acknowledged in batches: it takes a lock.
  void event_taken() noexcept {
    constexpr unsigned batch = 128;
    armed_ = false;
    if (++unacknowledged_ >= batch) {
      api_.acknowledge_queue_events(queue_, unacknowledged_);
      unacknowledged_ = 0;
    }
    ready_(context_);
  }
  [[nodiscard]] ibv_cq* native() const noexcept { return queue_; }

 private:
  api& api_;
  void* context_;
  function ready_;
  ibv_cq* queue_ = nullptr;
  unsigned unacknowledged_ = 0;
  bool armed_ = false;
};

}  // namespace rdsco::verbs
