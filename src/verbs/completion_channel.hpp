// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "verbs/api.hpp"
#include "verbs/descriptor_watch.hpp"

#include <rdsco/loop.hpp>

#include <cstddef>
#include <utility>

namespace rdsco::verbs {

/// Where an adapter says that armed completion queues have something: one channel for all queues of a device and a loop.
class completion_channel {
 public:
  using function = descriptor_watch::function;

  /// `ended` is called once, after stop().
  completion_channel(api& calls, loop& where, void* context, function ended) noexcept
      : api_(calls), watch_(where, this, &drain, context, ended) {}
  completion_channel(completion_channel const&) = delete;
  completion_channel& operator=(completion_channel const&) = delete;
  ~completion_channel() { close(); }

  /// 0 or -errno. Nothing is under way before start().
  [[nodiscard]] int open(ibv_context* device) noexcept { return api_.create_channel(device, native_); }
  /// It does not run, and its queues are gone.
  void close() noexcept {
    if (native_ != nullptr) static_cast<void>(api_.destroy_channel(std::exchange(native_, nullptr)));
  }
  void start() noexcept { watch_.start(api_.channel_descriptor(native_)); }
  void stop() noexcept { watch_.stop(); }
  [[nodiscard]] bool running() const noexcept { return watch_.running(); }
  [[nodiscard]] ibv_comp_channel* native() const noexcept { return native_; }

  // --- for its queues --------------------------------------------------------------------------------------------
  void queue_armed() noexcept { ++armed_; }
  /// It made its event, or is gone.
  void queue_settled() noexcept { --armed_; }

 private:
  static void drain(void* self) noexcept;

  api& api_;
  descriptor_watch watch_;
  ibv_comp_channel* native_ = nullptr;
  std::size_t armed_ = 0;
};

}  // namespace rdsco::verbs
