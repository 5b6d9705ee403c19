// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "verbs/api.hpp"
#include "verbs/completion_channel.hpp"
#include "verbs/descriptor_watch.hpp"
#include "verbs/event_channel.hpp"
#include "verbs/slot_pool.hpp"
#include "verbs/window_pool.hpp"

#include <rdsco/loop.hpp>

#include <cstddef>
#include <cstdint>

namespace rdsco::verbs {

class device;

/// Whoever uses devices hears what they say.
class device_user {
 public:
  virtual void device_event_arrived(device& from, device_event const& event) noexcept = 0;
  /// The connection manager says that the adapter is pulled out.
  virtual void device_pulled_out(device& gone) noexcept = 0;
  /// Once, after stop(): nothing of the device is in flight any more.
  virtual void device_ended() noexcept = 0;

 protected:
  ~device_user() = default;
};

/// An adapter as one loop uses it: a protection domain, one completion channel for all its connections, and its own events.
class device final : public cm_handler {
 public:
  device(api& calls, loop& where, ibv_context* native, device_user& by) noexcept;
  device(device const&) = delete;
  device& operator=(device const&) = delete;
  ~device();

  /// 0 or -errno. Nothing is under way before start(). `at`: an address on it.
  [[nodiscard]] int open(event_channel& manager, address const& at) noexcept;
  void start() noexcept;
  void stop() noexcept;
  [[nodiscard]] bool running() const noexcept { return completions_.running() || says_.running(); }

  /// The adapter is going away: whoever uses this ends, and nobody begins.
  void remove() noexcept { removed_ = true; }
  [[nodiscard]] bool removed() const noexcept { return removed_; }
  /// Connections that have objects on it.
  void use() noexcept { ++users_; }
  void unuse() noexcept { --users_; }
  [[nodiscard]] bool used() const noexcept { return users_ != 0; }

  /// Whoever else is on it hears the same; but there may be nobody.
  void cm_event_arrived(cm_event const& event) noexcept override {
    if (event.what == cm_event::kind::device_removed) by_.device_pulled_out(*this);
  }

  [[nodiscard]] ibv_context* native() const noexcept { return native_; }
  [[nodiscard]] ibv_pd* domain() const noexcept { return domain_; }
  [[nodiscard]] completion_channel& completions() noexcept { return completions_; }
  [[nodiscard]] ibv_device_attr const& attributes() const noexcept { return attributes_; }
  /// Memory can be offered by windows that are bound to one queue pair.
  [[nodiscard]] bool has_windows() const noexcept {
    constexpr unsigned type_2 = IBV_DEVICE_MEM_WINDOW_TYPE_2A | IBV_DEVICE_MEM_WINDOW_TYPE_2B;
    return (attributes_.device_cap_flags & type_2) != 0;
  }
  /// Soft-RoCE, which names no vendor: what stands in the queue behind a request that has to be sent again is carried out again, too. A window is
  /// then bound twice, which fails, and the queue stands still without a word.
  [[nodiscard]] bool repeats_requests() const noexcept { return attributes_.vendor_id == no_vendor; }
  /// Soft-iWARP: while a request in its queue waits for what a READ brings, it answers no READ of the peer, and two that both wait do so for ever. It
  /// also tells of what is sent behind a READ before it tells of the READ.
  [[nodiscard]] bool waits_without_answering() const noexcept { return attributes_.vendor_id == soft_iwarp; }
  /// A send can invalidate a key of its receiver.
  [[nodiscard]] bool sends_invalidate() const noexcept { return (attributes_.device_cap_flags & IBV_DEVICE_MEM_MGT_EXTENSIONS) != 0; }
  [[nodiscard]] window_pool& windows() noexcept { return windows_; }
  [[nodiscard]] slot_pool& slots() noexcept { return slots_; }

 private:
  static constexpr std::uint32_t no_vendor = 0xffffff;
  static constexpr std::uint32_t soft_iwarp = 0x626d74;
  static void take_events(void* self) noexcept;
  static void watch_ended(void* self) noexcept;

  api& api_;
  ibv_context* const native_;
  device_user& by_;
  completion_channel completions_;
  descriptor_watch says_;
  ibv_device_attr attributes_{};
  // The connection manager closes an adapter that is gone with the last identifier on it. This one goes last.
  rdma_cm_id* held_by_ = nullptr;
  ibv_pd* domain_ = nullptr;
  window_pool windows_;
  slot_pool slots_;
  device_events* events_ = nullptr;
  std::size_t users_ = 0;
  bool held_ = false;
  bool removed_ = false;
};

}  // namespace rdsco::verbs
