// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/detail/check.hpp>
#include <rdsco/detail/intrusive_list.hpp>

namespace rdsco {

class stop_scope;

namespace detail {
struct stop_tag;
}

/// What is to happen when a scope is stopped. It fires at most once and may leave at any time, also from inside another
/// callback of the same scope. Lifetime: leaves its scope before it dies.
class stop_callback : public detail::list_hook<detail::stop_tag> {
 public:
  explicit stop_callback(void (*stopped)(stop_callback&) noexcept) noexcept : stopped_(stopped) {}
  [[nodiscard]] bool registered() const noexcept { return linked(); }

 protected:
  ~stop_callback() { unlink(); }

 private:
  friend stop_scope;
  void (*stopped_)(stop_callback&) noexcept;
};

/// Ambient cancellation of everything that is awaited inside it. A request, never an interruption: each operation ends by
/// itself, with its result or canceled. Threads: one loop's; at the edge, stop_bridge connects a std::stop_token.
class stop_scope : private stop_callback {
 public:
  stop_scope() noexcept : stop_callback(&parent_stopped) {}
  /// Stopped together with `parent` (nullptr: no parent), also when the parent is stopped already.
  explicit stop_scope(stop_scope* parent) noexcept : stop_scope() {
    if (parent != nullptr) stopped_ = !parent->add(*this);
  }
  ~stop_scope() { RDSCO_CHECK(callbacks_.empty(), "a stop_scope was destroyed while operations waited in it"); }

  [[nodiscard]] bool stop_requested() const noexcept { return stopped_; }
  void request_stop() noexcept {
    if (stopped_) return;
    stopped_ = true;
    while (stop_callback* const callback = callbacks_.pop_front()) callback->stopped_(*callback);
  }
  /// False when the scope is stopped already: the callback was not added and will not fire.
  [[nodiscard]] bool add(stop_callback& callback) noexcept {
    if (stopped_) return false;
    callbacks_.push_back(callback);
    return true;
  }
  void remove(stop_callback& callback) noexcept { callback.unlink(); }

 private:
  static void parent_stopped(stop_callback& self) noexcept { static_cast<stop_scope&>(self).request_stop(); }

  detail::intrusive_list<stop_callback, detail::stop_tag> callbacks_;
  bool stopped_ = false;
};

}  // namespace rdsco
