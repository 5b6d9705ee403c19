// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "protocol/address_order.hpp"

namespace rdsco::protocol {

struct protocol_version {
  std::uint8_t major = 0;
  std::uint8_t minor = 0;

  friend constexpr bool operator==(protocol_version, protocol_version) = default;
};

inline constexpr protocol_version version_3_1{3, 1};
inline constexpr protocol_version version_4_0{4, 0};
inline constexpr protocol_version version_4_1{4, 1};
inline constexpr std::uint16_t minor_mask_bits = 0x0003;  // minor versions 0 and 1

/// The minor versions that go with a proposal: of version 4 those up to it; of 3.1 the same as kernels send, and nobody looks.
constexpr std::uint16_t minor_mask_of(protocol_version proposed) noexcept {
  return proposed == version_4_0 ? std::uint16_t{0x0001} : minor_mask_bits;
}

enum class address_family : std::uint8_t { v4, v6 };

inline constexpr std::size_t cm_private_v4_bytes = 32;
inline constexpr std::size_t cm_private_v6_bytes = 56;

/// The private data of a rejection: this number as four bytes in the order of the host. A kernel that receives a larger one waits
/// for something else to end its attempt. Whatever arrives counts as a rejection.
inline constexpr std::int32_t cm_reject_code = 1;

/// What the two sides of a verbs connection tell each other through the connection manager, in the request and in the reply. The
/// addresses are the sender's view: in a reply `source` is the passive side.
struct cm_private_data {
  address_bytes source{};
  address_bytes destination{};
  protocol_version version = version_3_1;
  std::uint16_t minor_mask = minor_mask_bits;
  std::uint8_t type_of_service = 0;
  std::uint16_t fragment_size = 0;  // some newer peers name theirs; 0 stands for 4096
  std::uint64_t ack = 0;            // last message received
  std::uint32_t initial_credit = 0; // 0: no flow control by credits
  // Between rdsco nodes, in the padding (docs/wire-extensions.md); 0 stands for a kernel, or for nothing to say.
  std::uint16_t life = 0;           // of the sender
  std::uint16_t ack_life = 0;       // of the receiver, whose number `ack` is

  friend bool operator==(cm_private_data const&, cm_private_data const&) = default;
};

/// What private data have room for of a node's generation; never 0.
constexpr std::uint16_t life_of(std::uint32_t generation) noexcept { return static_cast<std::uint16_t>(generation % 65535 + 1); }

/// IPv4 addresses are taken from the last four bytes of their mapped form.
void encode_v4(cm_private_data const& from, std::span<std::byte, cm_private_v4_bytes> to) noexcept;
void encode_v6(cm_private_data const& from, std::span<std::byte, cm_private_v6_bytes> to) noexcept;

/// Reads private data of the family that the port of the connection implies. Nothing if it is too short; the four bytes of padding
/// at its end may be missing (32-bit senders). A peer that sent none shows zeros: see has_content().
[[nodiscard]] std::optional<cm_private_data> decode_cm(address_family family, std::span<std::byte const> from) noexcept;

/// The connection manager pads with zeros, so the length tells nothing and a major version of 0 means "no private data".
constexpr bool has_content(cm_private_data const& data) noexcept { return data.version.major != 0; }

/// The version with which the passive side answers a request, or nothing if it must reject. Version 4 peers are taken only with
/// fragments of the usual size.
[[nodiscard]] std::optional<protocol_version> choose_version(cm_private_data const& request) noexcept;

/// The version of a connection by the reply of its passive side, or nothing if the connection must end. A reply without contents is
/// taken for 4.1, as kernels do.
[[nodiscard]] std::optional<protocol_version> version_of_reply(cm_private_data const& reply) noexcept;

}  // namespace rdsco::protocol
