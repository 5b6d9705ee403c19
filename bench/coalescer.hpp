// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "raw_stream.hpp"

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace rdsco::bench {

/// Small messages, each copied behind its header into one buffer, until that is full and wants to be written.
class coalescer {
 public:
  static constexpr std::size_t write_bytes = 64 * 1024;

  explicit coalescer(std::size_t bytes = write_bytes) : buffer_(bytes) {}

  /// False: it has no room for that one.
  [[nodiscard]] bool add(std::span<std::byte const> payload) noexcept {
    std::size_t const size = header_bytes + payload.size();
    if (used_ + size > buffer_.size()) return false;
    auto const length = static_cast<std::uint32_t>(payload.size());
    std::memcpy(buffer_.data() + used_, header_.data(), header_bytes);
    std::memcpy(buffer_.data() + used_, &length, sizeof length);
    std::memcpy(buffer_.data() + used_ + header_bytes, payload.data(), payload.size());
    used_ += size;
    return true;
  }
  [[nodiscard]] std::span<std::byte const> bytes() const noexcept { return {buffer_.data(), used_}; }
  void clear() noexcept { used_ = 0; }

 private:
  std::vector<std::byte> buffer_;
  std::array<std::byte, header_bytes> header_{};
  std::size_t used_ = 0;
};

}  // namespace rdsco::bench
