// SPDX-License-Identifier: BSD-2-Clause
#include "verbs/window_pool.hpp"

#include <new>

namespace rdsco::verbs {

int window_pool::take(ibv_pd* domain, ibv_mw*& out) noexcept {
  if (free_.empty()) return api_.allocate_window(domain, out);
  out = free_.back();
  free_.pop_back();
  return 0;
}

void window_pool::give_back(ibv_mw* window) noexcept {
  constexpr std::size_t kept_max = 1024;
  try {
    if (free_.size() < kept_max) return free_.push_back(window);
  } catch (std::bad_alloc const&) {
  }
  destroy(window);
}

void window_pool::clear() noexcept {
  for (ibv_mw* const each : free_) destroy(each);
  free_.clear();
}

}  // namespace rdsco::verbs
