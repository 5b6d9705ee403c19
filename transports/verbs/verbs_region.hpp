// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "node/region_core.hpp"
#include "verbs/device.hpp"

#include <cstdint>

namespace rdsco::detail {

/// Memory of the program that an adapter knows. By itself no peer reaches it: it is registered for the adapter's own use, and for windows
/// over parts of it.
class verbs_region final : public region_core {
 public:
  verbs_region(local_host& at, mutable_buffer memory, verbs::api& calls, verbs::device& device) noexcept
      : region_core(at, memory), device_(device), api_(calls) {}

  /// 0 or -errno.
  [[nodiscard]] int open(int access_flags) noexcept;
  /// Somebody else registered it. Null: nobody did.
  void take(ibv_mr* registered) noexcept { native_ = registered; }
  [[nodiscard]] verbs::device& device() const noexcept { return device_; }
  [[nodiscard]] ibv_mr* native() const noexcept { return native_; }
  [[nodiscard]] std::uint32_t local_key() const noexcept { return native_->lkey; }

 private:
  void deregister() noexcept override;

  verbs::device& device_;
  verbs::api& api_;
  ibv_mr* native_ = nullptr;
};

}  // namespace rdsco::detail
