// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "memory/block_pool.hpp"

#include <rdsco/buffer.hpp>
#include <rdsco/detail/intrusive_list.hpp>
#include <rdsco/endpoint.hpp>
#include <rdsco/fwd.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>

namespace rdsco::detail {

class acknowledged_send;

struct by_queue;   // the queue a datagram stands in: send, unacknowledged, or a socket's receive queue
struct by_sender;  // everything a socket has sent and that is not retired; received, what of it is charged to its peer

enum class datagram_kind : std::uint8_t { data, ping, pong, probe, probe_pong, acknowledgement_ping };

enum class datagram_state : std::uint8_t {
  made,            ///< in nobody's queue
  unsent,          ///< on a path's send queue, without a number unless it is a retransmission
  unacknowledged,  ///< given to the link, wholly or in part
  received,        ///< in a socket's receive queue
  lent,            ///< in the hands of the program
};

/// One datagram, outgoing or incoming, in one block of memory: this head and, unless the payload stays in its sender's
/// memory, the payload behind it. Loopback turns the one into the other without a copy.
struct datagram : list_hook<by_queue>, list_hook<by_sender> {
  std::uint64_t sequence = 0;
  std::uint32_t length = 0;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  datagram_kind kind = datagram_kind::data;
  datagram_state state = datagram_state::made;
  bool retransmitted = false;
  bool transmitting = false;  ///< bytes of it are on their way into the link: it may be orphaned, not freed
  bool orphaned = false;      ///< withdrawn meanwhile: to be freed once its bytes are out
  bool acknowledge_soon = false;
  bool overdrawn = false;  ///< received: it counts against its peer, because its socket is over its cap
  bool unrepeatable = false;  ///< it follows a remote operation: on another connection its key would mean nothing
  std::array<std::byte, 16> extensions{};
  std::uint32_t epoch = 0;  ///< received: of the connection it came on

  block_pool* pool = nullptr;
  /// Outgoing: who is charged for it, null once withdrawn. Incoming: whose queue it stands in, counted as a reference.
  socket_core* owner = nullptr;
  acknowledged_send* waiting = nullptr;  ///< whoever awaits the acknowledgement
  std::uint64_t stream_end = 0;          ///< TCP: offset in the stream behind its last byte
  connection* by = nullptr;              ///< outgoing: whose path it stands on. Incoming: the peer it is from, once in a socket
  offer_core* offered = nullptr;         ///< outgoing: memory that it offers to its receiver, counted as a reference
  remote_work* work = nullptr;           ///< outgoing: the operation before it, while whoever awaits that is there
  void* own_payload = nullptr;           ///< a block that the payload was copied into after the fact
  address from;

  std::byte const* bytes = nullptr;         ///< the payload where it is contiguous
  std::span<const_buffer const> gathered;   ///< the payload where it is a gather list in its sender's memory

  /// So many bytes fit a block beside the head.
  [[nodiscard]] static std::size_t payload_max() noexcept { return block_pool::largest() - sizeof(datagram); }
  /// Room for `payload` bytes behind the head. Null where memory was refused.
  [[nodiscard]] static datagram* make(block_pool& pool, std::size_t payload) noexcept {
    void* const memory = pool.allocate(sizeof(datagram) + payload);
    if (memory == nullptr) return nullptr;
    auto* const made = ::new (memory) datagram;
    made->pool = &pool;
    made->length = static_cast<std::uint32_t>(payload);
    made->bytes = made->storage();
    return made;
  }
  /// Copies a payload that lies in its sender's memory into the node's. False where memory was refused.
  [[nodiscard]] bool take_payload_over() noexcept {
    bool const ours = gathered.empty() && (length == 0 || bytes == storage());
    return ours || copy_payload();
  }
  /// Gives the block back. The caller has taken it off every list and settled every account.
  static void free(datagram* taken) noexcept {
    block_pool* const pool = taken->pool;
    if (taken->own_payload != nullptr) pool->release(taken->own_payload);
    if (taken->offered != nullptr) taken->drop_offer();
    taken->~datagram();
    pool->release(taken);
  }

  [[nodiscard]] bool copy_payload() noexcept;
  void drop_offer() noexcept;
  /// No byte of it has been given to a link, on this connection or an earlier one.
  [[nodiscard]] bool untouched() const noexcept { return state == datagram_state::unsent && sequence == 0; }
  [[nodiscard]] std::byte* storage() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
  [[nodiscard]] const_buffer contiguous() const noexcept { return {bytes, length}; }
  /// The payload as a list of buffers, contiguous or not. Lifetime: `one` holds the single buffer of a contiguous payload.
  [[nodiscard]] std::span<const_buffer const> parts(const_buffer& one) const noexcept {
    if (!gathered.empty()) return gathered;
    one = contiguous();
    return {&one, length == 0 ? 0u : 1u};
  }
};

using datagram_list = intrusive_list<datagram, by_queue>;
using sender_list = intrusive_list<datagram, by_sender>;

}  // namespace rdsco::detail
