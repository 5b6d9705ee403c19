// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "verbs/api.hpp"

#include <cstddef>
#include <cstdint>

namespace rdsco::verbs {

/// Memory of its own that an adapter may use, registered for as long as this lives.
/// Lifetime: the queue pairs that use it are destroyed first; then the adapter has let go.
class owned_region {
 public:
  explicit owned_region(api& calls) noexcept : api_(calls) {}
  owned_region(owned_region const&) = delete;
  owned_region& operator=(owned_region const&) = delete;
  ~owned_region() { close(); }

  /// 0 or -errno: -ENOMEM also where the limit of locked memory is reached.
  [[nodiscard]] int open(ibv_pd* domain, std::size_t bytes, int access) noexcept;
  void close() noexcept;

  [[nodiscard]] std::byte* data() const noexcept { return memory_; }
  [[nodiscard]] std::uint32_t local_key() const noexcept { return region_->lkey; }

 private:
  api& api_;
  std::byte* memory_ = nullptr;
  std::size_t bytes_ = 0;
  ibv_mr* region_ = nullptr;
};

}  // namespace rdsco::verbs
