// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/buffer.hpp>
#include <rdsco/endpoint.hpp>
#include <rdsco/fwd.hpp>
#include <rdsco/remote_memory.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace rdsco {

/// A received datagram, lent: its bytes stay where the transport put them and go back when it is destroyed.
/// Until then they count against its socket's receive buffer.
/// Lifetime: it owns its bytes and may outlive its socket and its node, not the loop, whose memory they may be.
/// Threads: that of the node's loop, destruction included.
class message {
 public:
  message() noexcept = default;  ///< no datagram
  message(message&& other) noexcept;
  message& operator=(message&& other) noexcept;
  ~message();

  [[nodiscard]] explicit operator bool() const noexcept { return lent_ != nullptr; }
  [[nodiscard]] std::size_t size() const noexcept;
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  /// Who sent it. Port 0: it is the answer to a ping.
  [[nodiscard]] endpoint from() const noexcept;

  /// The bytes, as a sequence: a large datagram of a transport with fragments arrives in several buffers.
  /// Lifetime: that of this message.
  [[nodiscard]] const_buffers payload() const noexcept;
  /// All bytes in one run: without a copy where they lie so, else by copying them into `scratch`.
  [[nodiscard]] const_buffer contiguous(std::vector<std::byte>& scratch) const;
  /// All bytes, copied.
  [[nodiscard]] std::string to_string() const;
  /// Copies as much as fits; returns how much.
  std::size_t copy_to(mutable_buffer to) const noexcept;

  /// Memory that the sender offers with it.
  [[nodiscard]] std::optional<remote_memory> offered() const noexcept;

  /// Gives the bytes back early.
  void release() noexcept;

 private:
  friend class receive_awaiter;
  friend class receive_into_awaiter;
  friend class socket;
  explicit message(detail::datagram* lent) noexcept : lent_(lent) {}

  detail::datagram* lent_ = nullptr;
};

}  // namespace rdsco
