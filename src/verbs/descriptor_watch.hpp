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

  /// `readable` reads until there is nothing left. `ended` is called once, after stop(). Each has a context of its own.
  descriptor_watch(loop& where, void* reader, function readable, void* owner, function ended) noexcept
      : io_(where.io()), reader_(reader), readable_(readable), owner_(owner), ended_(ended), watching_(*this) {}
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
    if (!stopping_) readable_(reader_);
    if (watching_.in_flight) return;
    if (!stopping_) return io_.watch(handle_, detail::readiness::readable, watching_);
    io_.close(std::exchange(handle_, detail::io_handle()), false);
    ended_(owner_);
  }

  detail::io_backend& io_;
  void* reader_;
  function readable_;
  void* owner_;
  function ended_;
  own_watch watching_;
  detail::io_handle handle_;
  bool stopping_ = false;
};

}  // namespace rdsco::verbs
