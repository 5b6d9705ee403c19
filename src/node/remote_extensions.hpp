// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "node/datagram.hpp"
#include "protocol/extension.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace rdsco::detail {

/// What a datagram says about remote memory, in its header.
struct remote_extensions {
  struct offer {
    std::uint32_t key = 0;
    std::uint64_t address = 0;
    bool ends_with_send = false;
  };
  std::optional<std::uint32_t> used;  ///< the key of the receiver's memory that an operation before it was on
  std::optional<offer> offered;       ///< memory of the sender

  remote_extensions() = default;
  explicit remote_extensions(std::span<std::byte const, protocol::extension_bytes> area) noexcept;
};

/// What the header of a datagram is to say. `whole_addresses`: the peer's adapter takes memory where it lies, and an offset of 32 bits
/// is too short.
[[nodiscard]] std::array<std::byte, protocol::extension_bytes> extensions_of(datagram const& one, bool whole_addresses) noexcept;

}  // namespace rdsco::detail
