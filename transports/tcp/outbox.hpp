// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "node/path.hpp"
#include "protocol/congestion_map.hpp"
#include "protocol/header.hpp"

#include <rdsco/detail/io_backend.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace rdsco::detail {

class block_pool;

/// Bytes on their way into a TCP stream. Headers and small payloads are copied side by side into one run, because one
/// contiguous write of many messages beats a gather list; large payloads are sent from where they lie.
class outbox {
 public:
  explicit outbox(block_pool& pool) noexcept : pool_(pool) {}
  ~outbox();
  outbox(outbox const&) = delete;
  outbox& operator=(outbox const&) = delete;

  [[nodiscard]] bool empty() const noexcept { return segments_.empty(); }
  /// There is room for one more message of whatever size. Also false where memory was refused.
  [[nodiscard]] bool has_room() noexcept;
  /// Puts the head of the path's send queue in, numbered. `ack` is what we acknowledge, 0 for a kernel.
  void put(path& lane, datagram& head, std::uint64_t ack) noexcept;
  void put_map(protocol::congestion_map const& map) noexcept;
  void put_acknowledgement(std::uint64_t ack) noexcept;

  /// Hands as much as possible to TCP. Bytes taken in this call, or -errno; -EAGAIN is not an error, and leaves the rest for later.
  std::ptrdiff_t flush(path& lane, io_backend& io, io_handle stream) noexcept;
  /// The connection is gone: nothing of this will be sent. The path has its datagrams on its list.
  void clear() noexcept;

  /// Stream bytes put in since the connection began.
  [[nodiscard]] std::uint64_t stream_bytes() const noexcept { return stream_bytes_; }
  [[nodiscard]] std::uint64_t sent_bytes() const noexcept { return sent_bytes_; }
  void begin_connection() noexcept { stream_bytes_ = sent_bytes_ = 0; }
  /// Gives the staging memory back while nothing is to be sent.
  void rest() noexcept;

 private:
  // Below this a payload is copied; measured, the gather list wins from about 8 KiB on.
  static constexpr std::size_t copied_below = 8192;
  static constexpr std::size_t staging_bytes = 64 * 1024;
  static constexpr std::size_t segments_max = 64;

  struct segment {
    datagram* from = nullptr;  // null: staged bytes
    std::size_t at = 0;
    std::size_t length = 0;
  };

  std::byte* stage(std::size_t bytes) noexcept;
  void stage_header(protocol::header const& head) noexcept;
  [[nodiscard]] std::size_t gather(std::vector<const_buffer>& into) const noexcept;
  void consume(path& lane, std::size_t bytes) noexcept;

  block_pool& pool_;
  std::byte* staging_ = nullptr;
  std::size_t staged_ = 0;
  std::vector<segment> segments_;
  std::size_t first_ = 0;  // segments before it are sent
  std::vector<const_buffer> buffers_;
  std::uint64_t stream_bytes_ = 0;
  std::uint64_t sent_bytes_ = 0;
};

}  // namespace rdsco::detail
