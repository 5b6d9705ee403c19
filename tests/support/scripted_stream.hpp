// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "protocol/header.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace rdsco::test {

/// A message as it stood on the wire.
struct frame {
  protocol::header head;
  std::vector<std::byte> payload;
  bool canonical = false;  ///< encoding the header again gives the bytes that came: what is to be zero was
};

[[nodiscard]] std::vector<std::byte> bytes_of(protocol::header const& head, std::span<std::byte const> payload = {});

/// One TCP connection of a scripted peer: a plain non-blocking socket. It does nothing by itself and never waits; pump() moves
/// what can be moved.
class scripted_stream {
 public:
  scripted_stream(int descriptor, bool accepted) noexcept : descriptor_(descriptor), accepted_(accepted) {}
  scripted_stream(scripted_stream const&) = delete;
  scripted_stream& operator=(scripted_stream const&) = delete;
  ~scripted_stream() { close(); }

  void pump();
  /// Queues raw bytes; pump() sends them.
  void put(std::span<std::byte const> bytes);
  /// Queues one message. The length in the header is sent as it is where there is no payload: it may lie.
  void put(protocol::header head, std::span<std::byte const> payload = {});
  /// The end of the stream, once everything queued is out.
  void finish() noexcept { finishing_ = true; }
  /// Nothing more; TCP says so with an end of stream, or with a reset where unread bytes are left.
  void close() noexcept;
  /// A reset, at once. What is queued here is not sent; what TCP took is on its way.
  void reset() noexcept;

  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
  [[nodiscard]] bool accepted() const noexcept { return accepted_; }
  [[nodiscard]] bool open() const noexcept { return descriptor_ != -1; }
  /// The node's end of the stream, or its reset, has been seen.
  [[nodiscard]] bool ended() const noexcept { return ended_; }
  [[nodiscard]] bool was_reset() const noexcept { return reset_; }
  [[nodiscard]] std::size_t unsent() const noexcept { return out_.size() - out_at_; }
  [[nodiscard]] bool wants_to_read() const noexcept { return open() && !ended_ && received < read_limit; }
  [[nodiscard]] bool wants_to_write() const noexcept { return open() && !ended_ && unsent() != 0; }

  std::vector<frame> frames;                    ///< everything received that is complete
  std::size_t received = 0;                     ///< bytes
  std::size_t read_limit = ~std::size_t{0};     ///< reads so many bytes and no more

 private:
  void write();
  void read();
  void parse();

  int descriptor_;
  bool accepted_;
  bool ended_ = false;
  bool reset_ = false;
  bool finishing_ = false;
  std::vector<std::byte> out_;
  std::size_t out_at_ = 0;
  std::vector<std::byte> in_;
  std::size_t in_at_ = 0;
};

}  // namespace rdsco::test
