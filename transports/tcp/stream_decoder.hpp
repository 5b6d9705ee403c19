// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "protocol/header.hpp"

#include <rdsco/buffer.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

namespace rdsco::detail {

/// Takes the stream of RDS over TCP apart: a 48-byte header, then as many payload bytes as it says, and again. The stream
/// may be cut anywhere. There is no magic number and no way to find the next header after a lie about a length: whatever is
/// wrong ends the connection.
///
/// Sink:
///   bool acceptable(header const&)                 may this length be taken? Asked before a byte is kept for it
///   bool whole(header const&, const_buffer)        a message that lies in the input in one piece
///   void* begin(header const&, std::byte*& memory) a message that arrives in parts; memory null: skip its payload
///   bool refused()                                 begin() wanted memory and was refused
///   bool finish(header const&, void* message)      all of it is there
///   void discard(void* message)                    the stream ended in the middle of it
template <class Sink>
class stream_decoder {
 public:
  explicit stream_decoder(Sink& sink) noexcept : sink_(sink) {}
  stream_decoder(stream_decoder const&) = delete;
  stream_decoder& operator=(stream_decoder const&) = delete;
  ~stream_decoder() { reset(); }

  /// False: the peer broke the protocol, or memory was refused; the stream is of no more use.
  [[nodiscard]] bool feed(const_buffer bytes) noexcept {
    while (!bytes.empty()) {
      if (in_payload_) {
        if (!take_payload(bytes)) return false;
      } else if (header_filled_ == 0 && bytes.size() >= protocol::header_bytes) {
        if (!take_run(bytes)) return false;
      } else if (!take_header_part(bytes)) {
        return false;
      }
    }
    return true;
  }

  /// Where the rest of a large payload may be received directly; empty where nothing is under way or it is skipped.
  [[nodiscard]] mutable_buffer direct_space() const noexcept {
    if (!in_payload_ || memory_ == nullptr) return {};
    return {memory_ + payload_filled_, head_.length - payload_filled_};
  }
  /// `count` bytes were received into direct_space().
  [[nodiscard]] bool direct_filled(std::size_t count) noexcept {
    payload_filled_ += count;
    return payload_filled_ < head_.length || end_message();
  }

  [[nodiscard]] bool in_message() const noexcept { return in_payload_ || header_filled_ != 0; }
  [[nodiscard]] std::size_t header_remaining() const noexcept { return in_payload_ ? 0 : protocol::header_bytes - header_filled_; }
  [[nodiscard]] std::size_t payload_remaining() const noexcept { return in_payload_ ? head_.length - payload_filled_ : 0; }

  /// Forgets a message that is not complete.
  void reset() noexcept {
    if (in_payload_ && message_ != nullptr) sink_.discard(message_);
    message_ = nullptr;
    memory_ = nullptr;
    in_payload_ = false;
    header_filled_ = 0;
  }

 private:
  using header_view = std::span<std::byte const, protocol::header_bytes>;

  // The common case: message after message lies whole in the input.
  bool take_run(const_buffer& bytes) noexcept {
    while (bytes.size() >= protocol::header_bytes) {
      protocol::header const head = protocol::decode(header_view(bytes.data(), protocol::header_bytes));
      if (!sink_.acceptable(head)) return false;
      if (bytes.size() - protocol::header_bytes < head.length) {
        bytes = bytes.subspan(protocol::header_bytes);
        return begin_message(head);
      }
      if (!sink_.whole(head, bytes.subspan(protocol::header_bytes, head.length))) return false;
      bytes = bytes.subspan(protocol::header_bytes + head.length);
    }
    return true;
  }

  bool take_header_part(const_buffer& bytes) noexcept {
    std::size_t const count = std::min(bytes.size(), protocol::header_bytes - header_filled_);
    std::memcpy(header_.data() + header_filled_, bytes.data(), count);
    header_filled_ += count;
    bytes = bytes.subspan(count);
    if (header_filled_ < protocol::header_bytes) return true;
    header_filled_ = 0;
    protocol::header const head = protocol::decode(header_view(header_));
    if (!sink_.acceptable(head)) return false;
    return begin_message(head);
  }

  bool begin_message(protocol::header const& head) noexcept {
    head_ = head;
    if (head.length == 0) return sink_.whole(head, const_buffer());
    memory_ = nullptr;
    message_ = sink_.begin(head, memory_);
    if (message_ == nullptr && sink_.refused()) return false;
    in_payload_ = true;
    payload_filled_ = 0;
    return true;
  }

  bool take_payload(const_buffer& bytes) noexcept {
    std::size_t const count = std::min<std::size_t>(bytes.size(), head_.length - payload_filled_);
    if (memory_ != nullptr) std::memcpy(memory_ + payload_filled_, bytes.data(), count);
    bytes = bytes.subspan(count);
    return direct_filled(count);
  }

  bool end_message() noexcept {
    in_payload_ = false;
    memory_ = nullptr;
    return sink_.finish(head_, std::exchange(message_, nullptr));
  }

  Sink& sink_;
  protocol::header head_;
  void* message_ = nullptr;
  std::byte* memory_ = nullptr;
  std::size_t payload_filled_ = 0;
  std::size_t header_filled_ = 0;
  bool in_payload_ = false;
  std::array<std::byte, protocol::header_bytes> header_{};
};

}  // namespace rdsco::detail
