// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "loop/ring.hpp"

#include <rdsco/buffer.hpp>
#include <rdsco/loop.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace rdsco::detail {

/// Memory that receives without memory of their own use: picked by the kernel where it can (a registered buffer ring), by us
/// where it cannot. Nothing is allocated before the first use, and pages are touched as they are used.
class receive_buffers {
 public:
  static constexpr std::uint16_t group = 1;

  explicit receive_buffers(receive_buffer_options const& options) noexcept;
  receive_buffers(receive_buffers const&) = delete;
  receive_buffers& operator=(receive_buffers const&) = delete;
  ~receive_buffers();

  /// 0, or -errno when there is no memory at all.
  int prepare(ring& where) noexcept;
  /// Whether the kernel picks the buffer. Only after prepare().
  [[nodiscard]] bool kernel_picks() const noexcept { return ring_ != nullptr; }
  [[nodiscard]] mutable_buffer at(std::uint16_t number) noexcept;

  /// The kernel picked `number`.
  void picked(std::uint16_t) noexcept { ++lent_; }
  /// Picks one ourselves; nullopt when all are lent.
  [[nodiscard]] std::optional<std::uint16_t> pick() noexcept;
  void give_back(std::uint16_t number) noexcept;
  [[nodiscard]] bool all_lent() const noexcept { return lent_ == options_.count; }
  [[nodiscard]] std::size_t not_lent() const noexcept { return options_.count - lent_; }
  [[nodiscard]] std::size_t bytes_each() const noexcept { return options_.bytes; }

 private:
  void give_to_kernel(std::uint16_t number) noexcept;

  receive_buffer_options options_;
  std::byte* memory_ = nullptr;
  io_uring_buf_ring* ring_ = nullptr;  // shared with the kernel
  std::vector<std::uint16_t> free_;    // when we pick
  unsigned lent_ = 0;
};

}  // namespace rdsco::detail
