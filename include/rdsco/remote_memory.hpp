// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/endpoint.hpp>
#include <rdsco/fwd.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace rdsco {

/// What a peer may do with memory that is offered to it.
enum class access : std::uint8_t { read = 1, write = 2, read_write = 3, atomic = 4 };

[[nodiscard]] constexpr access operator|(access one, access other) noexcept {
  return static_cast<access>(static_cast<unsigned>(one) | static_cast<unsigned>(other));
}
[[nodiscard]] constexpr bool permits(access given, access wanted) noexcept {
  return (static_cast<unsigned>(given) & static_cast<unsigned>(wanted)) == static_cast<unsigned>(wanted);
}

/// A part of a region: where a remote operation takes its bytes from, or puts them.
/// Lifetime: that of its region.
class region_slice {
 public:
  region_slice() noexcept = default;
  [[nodiscard]] std::byte* data() const noexcept { return bytes_.data(); }
  [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }
  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return bytes_; }
  [[nodiscard]] detail::region_core* core() const noexcept { return of_; }

 private:
  friend class region;
  region_slice(detail::region_core* of, std::span<std::byte> bytes) noexcept : of_(of), bytes_(bytes) {}

  detail::region_core* of_ = nullptr;
  std::span<std::byte> bytes_;
};

/// Memory of a peer, as a datagram of that peer offered it: message::offered(). How much it is the wire does not say: that is for the
/// program's own protocol. It can be used from any socket of the address that the datagram came to.
///
/// It is good for the connection on which it came. After that one broke, operations on it report stale_offer and nothing reaches the
/// wire; the peer offers it anew.
class remote_memory {
 public:
  remote_memory() noexcept = default;

  /// Who offered it. The datagram that follows an operation goes there.
  [[nodiscard]] endpoint const& from() const noexcept { return from_; }
  /// As the kernel's programs see it: the offset in the upper half, the key in the lower.
  [[nodiscard]] std::uint64_t cookie() const noexcept { return address_ << 32 | key_; }

 private:
  friend class message;
  friend class detail::remote_state;
  remote_memory(endpoint const& from, std::uint32_t key, std::uint64_t at, std::uint32_t epoch) noexcept
      : from_(from), address_(at), key_(key), epoch_(epoch) {}

  endpoint from_;
  std::uint64_t address_ = 0;  // of its first byte
  std::uint32_t key_ = 0;
  std::uint32_t epoch_ = 0;  // of the connection it came on
  bool ends_with_send_ = false;
};

/// How a remote operation is carried out.
struct rdma_options {
  /// Without a payload the peer's program is told nothing; the operation still completes as any other. A use-once offer is not used up.
  bool silent = false;
  /// Cancellation: ends the connection rather than wait until the adapter lets go of the memory by itself. Other datagrams of the
  /// connection are sent again on the next one; other operations are dropped.
  bool flush_on_cancel = false;

  rdma_options() = default;
};

}  // namespace rdsco
