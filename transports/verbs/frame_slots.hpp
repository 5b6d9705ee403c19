// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "protocol/limits.hpp"
#include "verbs/region.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace rdsco::detail {

/// The registered memory of a ring: a header and a fragment in each slot, the slots on cache lines of their own.
class frame_slots {
 public:
  static constexpr std::size_t frame_bytes_max = protocol::header_bytes + protocol::fragment_bytes;
  static constexpr std::size_t slot_bytes = (frame_bytes_max + 63) / 64 * 64;

  explicit frame_slots(verbs::api& calls) noexcept : memory_(calls) {}

  /// 0 or -errno.
  [[nodiscard]] int open(ibv_pd* domain, std::uint32_t count, int access) noexcept {
    int const failed = memory_.open(domain, slot_bytes * count, access);
    count_ = failed == 0 ? count : 0;
    return failed;
  }
  void close() noexcept {
    memory_.close();
    count_ = 0;
  }

  [[nodiscard]] std::uint32_t count() const noexcept { return count_; }
  [[nodiscard]] std::byte* at(std::uint32_t slot) const noexcept { return memory_.data() + slot_bytes * slot; }
  [[nodiscard]] ibv_sge element(std::uint32_t slot, std::size_t bytes) const noexcept {
    ibv_sge made{};
    made.addr = reinterpret_cast<std::uintptr_t>(at(slot));
    made.length = static_cast<std::uint32_t>(bytes);
    made.lkey = memory_.local_key();
    return made;
  }

 private:
  verbs::owned_region memory_;
  std::uint32_t count_ = 0;
};

}  // namespace rdsco::detail
