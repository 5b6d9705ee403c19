// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "verbs/api.hpp"

#include <rdsco/detail/intrusive_list.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace rdsco::verbs {

/// A registration of a range for one holder. Given back it stays valid until it is flushed, so nobody but that holder gets it again
/// before.
struct slot : detail::list_hook<> {
  ibv_mr* native = nullptr;
  std::byte* memory = nullptr;
  std::size_t bytes = 0;
  int access = 0;
  void const* holder = nullptr;
};

/// Registrations of a device without memory windows: kept, and ended many at a time.
class slot_pool {
 public:
  explicit slot_pool(api& calls) noexcept : api_(calls) {}
  slot_pool(slot_pool const&) = delete;
  slot_pool& operator=(slot_pool const&) = delete;
  ~slot_pool() { flush(); }

  /// The limits of the kernel's RDS for a device with so many registrations.
  void set_limits(int registrations_max) noexcept;
  /// A slot for this range and holder; peers address its first byte as `first`. 0 or -errno: -ENOSPC where all are taken.
  [[nodiscard]] int take(ibv_pd* domain, std::byte* memory, std::size_t bytes, std::uint64_t first, int access, void const* holder,
                         slot*& out) noexcept;
  /// The holder may still reach the memory; `at_once`: nobody may.
  void give_back(slot& used, bool at_once) noexcept;
  /// Ends every registration that was given back.
  void flush() noexcept;
  /// Likewise of those within a range.
  void flush_range(std::byte const* memory, std::size_t bytes) noexcept;

  [[nodiscard]] std::size_t kept() const noexcept { return kept_; }
  [[nodiscard]] std::size_t registered() const noexcept { return registered_; }

 private:
  using list = detail::intrusive_list<slot>;
  [[nodiscard]] list& bucket(std::byte const* memory) noexcept;
  [[nodiscard]] slot* find_kept(std::byte const* memory, std::size_t bytes, int access, void const* holder) noexcept;
  [[nodiscard]] int make(ibv_pd* domain, std::byte* memory, std::size_t bytes, std::uint64_t first, int access, slot*& out) noexcept;
  void end(slot& over) noexcept;

  api& api_;
  std::array<list, 64> kept_by_memory_;
  std::size_t registered_ = 0;
  std::size_t kept_ = 0;  // of these, given back and still valid
  std::size_t kept_bytes_ = 0;
  std::size_t registered_max_ = 4096;
};

}  // namespace rdsco::verbs
