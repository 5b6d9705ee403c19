// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "protocol/limits.hpp"

namespace rdsco::protocol {

/// Types of extension headers: one type byte, then as many data bytes as the type implies. There is no length byte, so a
/// type whose length is not known ends the list.
enum class extension_type : std::uint8_t {
  none = 0,
  version = 1,
  rdma = 2,
  rdma_destination = 3,
  rdma_bytes = 4,
  path_count = 5,
  generation = 6,
  capability_bits = 7,
  source_port_index = 8,
  payload_checksum = 9,
  node = 0xd5,  // rdsco's own; every kernel's walk stops at a type of 16 or more
  wide_destination = 0xd6,
  offer_flags = 0xd7,
};

inline constexpr std::uint8_t first_private_type = 16;

/// Data bytes of a type, or nothing if rdsco does not parse it. Later kernels give types 4, 7, 8 and 9 lengths that differ
/// between trees; until one is negotiated they count as unknown.
constexpr std::optional<std::size_t> extension_data_bytes(extension_type type) noexcept {
  switch (type) {
    case extension_type::version:
    case extension_type::rdma:
    case extension_type::generation: return 4;
    case extension_type::rdma_destination: return 8;
    case extension_type::path_count: return 2;
    default: return std::nullopt;
  }
}

struct extension {
  extension_type type = extension_type::none;
  std::span<std::byte const> data;
};

/// Walks the extension area. It ends at type 0, at a type of 16 or more, at the first unknown type and at one whose data
/// would pass the area. A Linux 6.1 kernel takes an unknown type below 16 for one without data and reads its data as types;
/// ending the walk there is compatible because it never sends more than one extension.
/// Lifetime: the area must outlive the walk and what it hands out.
class extension_walk {
 public:
  explicit constexpr extension_walk(std::span<std::byte const, extension_bytes> area) noexcept : area_(area) {}

  [[nodiscard]] std::optional<extension> next() noexcept;

  /// Where the walk stands: at its end, the position of the byte that ended it, or 16.
  [[nodiscard]] std::size_t position() const noexcept { return position_; }

 private:
  std::span<std::byte const, extension_bytes> area_;
  std::size_t position_ = 0;
};

/// The memory that the sender of a message offers to its receiver.
struct rdma_cookie {
  std::uint32_t key = 0;
  std::uint32_t offset = 0;

  friend bool operator==(rdma_cookie const&, rdma_cookie const&) = default;
};

/// Likewise between rdsco nodes over adapters that let nobody choose how memory is addressed: where it lies, of which 48 bits matter.
struct wide_cookie {
  std::uint32_t key = 0;
  std::uint64_t address = 0;

  friend bool operator==(wide_cookie const&, wide_cookie const&) = default;
};

inline constexpr std::size_t wide_destination_bytes = 11;  // with its type byte
inline constexpr std::uint64_t wide_address_max = (std::uint64_t{1} << 48) - 1;

/// What an rdsco node says of the memory it offers with the message, behind the cookie.
namespace offer_flag {
inline constexpr std::uint8_t ends_with_send = 0x01;  // it is for one use, after which the user's send may invalidate the key
}

namespace node_feature {
inline constexpr std::uint8_t ack_frames = 0x01;  // understands ack-only frames on TCP
}

/// What one rdsco node tells another, in a probe and its pong. `version` is at least 1; `generation` differs between two
/// lives of a node and is 0 where there is none.
struct node_extension {
  std::uint8_t version = 1;
  std::uint8_t features = 0;
  std::uint32_t generation = 0;

  friend bool operator==(node_extension const&, node_extension const&) = default;
};

inline constexpr std::size_t node_extension_bytes = 7;  // with its type byte

/// All values of an extension area that rdsco understands. Of a type that occurs twice, the last one counts, as in a kernel.
struct extension_values {
  std::optional<std::uint32_t> version;
  std::optional<std::uint32_t> rdma_key;  // the receiver's region that the message's RDMA operation used
  std::optional<rdma_cookie> rdma_destination;
  std::optional<std::uint16_t> path_count;  // as sent, not clamped
  std::optional<std::uint32_t> generation;
  std::optional<node_extension> node;
  std::optional<wide_cookie> wide_destination;
  std::optional<std::uint8_t> offer_flags;

  friend bool operator==(extension_values const&, extension_values const&) = default;
};

[[nodiscard]] extension_values parse_extensions(std::span<std::byte const, extension_bytes> area) noexcept;

/// A message without extensions, the common case, is known by its first byte.
[[nodiscard]] constexpr bool has_extensions(std::span<std::byte const, extension_bytes> area) noexcept {
  return area[0] != std::byte{0};
}

/// Finds rdsco's own extension: it stands where the ordinary walk ended.
[[nodiscard]] std::optional<node_extension> find_node_extension(std::span<std::byte const, extension_bytes> area) noexcept;

/// Builds an extension area. Each append answers false, and changes nothing, if the value does not fit; nothing can follow an extension
/// of rdsco's own, because every other walk ends there.
class extension_list {
 public:
  [[nodiscard]] bool append(extension_type type, std::span<std::byte const> data) noexcept;
  [[nodiscard]] bool append_version(std::uint32_t version) noexcept;
  [[nodiscard]] bool append_rdma(std::uint32_t key) noexcept;
  [[nodiscard]] bool append_rdma_destination(rdma_cookie cookie) noexcept;
  [[nodiscard]] bool append_path_count(std::uint16_t paths) noexcept;
  [[nodiscard]] bool append_generation(std::uint32_t generation) noexcept;
  [[nodiscard]] bool append_node(node_extension node) noexcept;
  /// An address above wide_address_max does not fit.
  [[nodiscard]] bool append_wide_destination(wide_cookie cookie) noexcept;
  [[nodiscard]] bool append_offer_flags(std::uint8_t flags) noexcept;

  [[nodiscard]] std::array<std::byte, extension_bytes> const& bytes() const noexcept { return bytes_; }

  /// More than one ordinary extension: newer kernels then want flag::more_extensions in the header.
  [[nodiscard]] bool needs_flag() const noexcept { return count_ > 1; }

 private:
  bool place(extension_type type, std::span<std::byte const> data) noexcept;

  std::array<std::byte, extension_bytes> bytes_{};
  std::size_t used_ = 0;
  std::size_t count_ = 0;
  bool closed_ = false;
};

}  // namespace rdsco::protocol
