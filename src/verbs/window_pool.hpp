// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "verbs/api.hpp"

#include <vector>

namespace rdsco::verbs {

/// Memory windows of a device that are not bound. Making one is a call into the kernel, so they are kept.
class window_pool {
 public:
  explicit window_pool(api& calls) noexcept : api_(calls) {}
  window_pool(window_pool const&) = delete;
  window_pool& operator=(window_pool const&) = delete;
  ~window_pool() { clear(); }

  /// 0 or -errno.
  [[nodiscard]] int take(ibv_pd* domain, ibv_mw*& out) noexcept;
  /// It is not bound.
  void give_back(ibv_mw* window) noexcept;
  /// Of a window that may be bound: nobody reaches anything by it afterwards.
  void destroy(ibv_mw* window) noexcept { static_cast<void>(api_.release_window(window)); }
  void clear() noexcept;

 private:
  api& api_;
  std::vector<ibv_mw*> free_;
};

}  // namespace rdsco::verbs
