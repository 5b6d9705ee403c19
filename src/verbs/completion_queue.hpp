// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "verbs/api.hpp"
#include "verbs/completion_channel.hpp"

#include <span>
#include <utility>

namespace rdsco::verbs {

/// The completion queue of one connection, and the events that were taken for it.
///
/// Use: poll() until it brings less than there was room for, arm(), and poll() once more, because what came in between makes no event.
class completion_queue {
 public:
  using function = void (*)(void* context) noexcept;

  /// `ready` is called when an armed queue has something.
  completion_queue(api& calls, void* context, function ready) noexcept : api_(calls), context_(context), ready_(ready) {}
  completion_queue(completion_queue const&) = delete;
  completion_queue& operator=(completion_queue const&) = delete;
  ~completion_queue() { close(); }

  /// Lifetime: `told_by` until close().
  [[nodiscard]] int open(ibv_context* device, completion_channel& told_by, int entries) noexcept {
    told_by_ = &told_by;
    return api_.create_queue(device, entries, this, told_by.native(), queue_);
  }
  /// Its queue pair is gone.
  void close() noexcept {
    if (queue_ == nullptr) return;
    if (unacknowledged_ != 0) api_.acknowledge_queue_events(queue_, unacknowledged_);
    static_cast<void>(api_.destroy_queue(queue_));
    queue_ = nullptr;
    unacknowledged_ = 0;
    settle();
  }

  /// How many completions came, or -errno.
  [[nodiscard]] int poll(std::span<ibv_wc> out) noexcept { return api_.poll(queue_, out); }
  [[nodiscard]] bool armed() const noexcept { return armed_; }
  [[nodiscard]] int arm() noexcept {
    if (!std::exchange(armed_, true)) told_by_->queue_armed();
    return api_.request_notification(queue_, false);
  }

  /// The channel took an event of this queue. They are acknowledged in batches: it takes a lock.
  void event_taken() noexcept {
    constexpr unsigned batch = 128;
    settle();
    if (++unacknowledged_ >= batch) {
      api_.acknowledge_queue_events(queue_, unacknowledged_);
      unacknowledged_ = 0;
    }
    ready_(context_);
  }
  [[nodiscard]] ibv_cq* native() const noexcept { return queue_; }

 private:
  void settle() noexcept {
    if (std::exchange(armed_, false)) told_by_->queue_settled();
  }

  api& api_;
  void* context_;
  function ready_;
  completion_channel* told_by_ = nullptr;
  ibv_cq* queue_ = nullptr;
  unsigned unacknowledged_ = 0;
  bool armed_ = false;
};

}  // namespace rdsco::verbs
