// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <optional>

namespace rdsco::detail {

/// Reads from a TCP socket's error queue how far the peer has acknowledged (SO_TIMESTAMPING with TX_ACK and OPT_ID).
class acknowledgement_tracker {
 public:
  [[nodiscard]] bool enable(int descriptor) noexcept;
  /// Bytes acknowledged since enable(), at the next event; nullopt when no event is queued.
  [[nodiscard]] std::optional<std::uint64_t> next(int descriptor) noexcept;
  /// The kernel names the last byte of an acknowledged piece by 32 bits of its offset; this makes 64 of them.
  [[nodiscard]] std::uint64_t extend(std::uint32_t last_byte) noexcept;

 private:
  std::uint64_t acknowledged_ = 0;
};

}  // namespace rdsco::detail
