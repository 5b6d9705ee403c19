// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/detail/io_backend.hpp>
#include <rdsco/loop.hpp>

#include <utility>

namespace rdsco::verbs {

/// Calls somebody whenever a descriptor of rdma-core becomes readable: one multishot poll for its whole life.
/// Lifetime: destroyed only when `!running()`, which follows stop() by a turn or so; the descriptor outlives it.
class descriptor_watch {
 public:
  using function = void (*)(void* context) noexcept;

  /// `readable` reads until there is nothing left. `ended` is called once, after stop().
  descriptor_watch(loop& where, void* context, function readable, function ended) noexcept
      : io_(where.io()), context_(context), readable_(readable), ended_(ended), watching_(*this) {}
  descriptor_watch(descriptor_watch const&) = delete;
  descriptor_watch& operator=(descriptor_watch const&) = delete;

  void start(int descriptor) noexcept {
    handle_ = io_.adopt(descriptor);
    io_.watch(handle_, detail::readiness::readable, watching_);
  }
  void stop() noexcept {
    stopping_ = true;
    io_.cancel(watching_);
  }
  [[nodiscard]] bool running() const noexcept { return static_cast<bool>(handle_); }

 private:
  struct own_watch : detail::watch_operation {
    explicit own_watch(descriptor_watch& of) noexcept : watch_operation(&completed_one), owner(of) {}
    static void completed_one(detail::io_operation& self) noexcept { static_cast<own_watch&>(self).owner.happened(); }
    descriptor_watch& owner;
  };

  void happened() noexcept {
    if (!stopping_) readable_(context_);
    if (watching_.in_flight) return;
    if (!stopping_) return io_.watch(handle_, detail::readiness::readable, watching_);
    io_.close(std::exchange(handle_, detail::io_handle()), false);
    ended_(context_);
  }

  detail::io_backend& io_;
  void* context_;
  function readable_;
  function ended_;
  own_watch watching_;
  detail::io_handle handle_;
  bool stopping_ = false;
};

}  // namespace rdsco::verbs
