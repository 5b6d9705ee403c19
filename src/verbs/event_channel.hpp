// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "verbs/api.hpp"
#include "verbs/descriptor_watch.hpp"

#include <rdsco/loop.hpp>

namespace rdsco::verbs {

/// Hears the events of an identifier: its context in the connection manager.
class cm_handler {
 public:
  /// Takes notes; makes no call that waits.
  virtual void cm_event_arrived(cm_event const& event) noexcept = 0;

 protected:
  ~cm_handler() = default;
};

/// The connection manager's events, on a loop. A request for a connection goes to whoever listens, everything else to the handler of its
/// identifier.
class event_channel {
 public:
  using function = descriptor_watch::function;

  event_channel(api& calls, loop& where, void* context, function ended) noexcept
      : api_(calls), watch_(where, this, &drain, context, ended) {}
  event_channel(event_channel const&) = delete;
  event_channel& operator=(event_channel const&) = delete;
  ~event_channel() {
    if (events_ != nullptr) api_.close_events(events_);
  }

  /// 0 or -errno. Nothing is under way before start(); events wait.
  [[nodiscard]] int open() noexcept { return api_.open_events(events_); }
  void start() noexcept { watch_.start(api_.events_descriptor(events_)); }
  void stop() noexcept { watch_.stop(); }
  [[nodiscard]] bool running() const noexcept { return watch_.running(); }

  [[nodiscard]] int create_id(cm_handler& handler, rdma_cm_id*& out) noexcept { return api_.create_id(events_, &handler, out); }

 private:
  static void drain(void* self) noexcept {
    auto& from = *static_cast<event_channel*>(self);
    cm_event event;
    while (from.api_.next_event(from.events_, event) == 0) {
      rdma_cm_id* const heard_by = event.what == cm_event::kind::connect_request ? event.listener : event.id;
      static_cast<cm_handler*>(heard_by->context)->cm_event_arrived(event);
    }
  }

  api& api_;
  descriptor_watch watch_;
  rdma_event_channel* events_ = nullptr;
};

}  // namespace rdsco::verbs
