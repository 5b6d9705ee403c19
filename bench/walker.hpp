// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "raw_stream.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>

namespace rdsco::bench {

/// Walks over the messages of a stream, as far as their headers say.
class walker {
 public:
  void take(std::span<std::byte const> bytes) {
    while (!bytes.empty()) {
      if (head_ < header_bytes) {
        std::size_t const more = std::min(header_bytes - head_, bytes.size());
        std::memcpy(header_.data() + head_, bytes.data(), more);
        head_ += more;
        bytes = bytes.subspan(more);
        if (head_ < header_bytes) return;
        std::uint32_t length = 0;
        std::memcpy(&length, header_.data(), sizeof length);
        body_ = length;
      }
      std::size_t const more = std::min(body_, bytes.size());
      body_ -= more;
      bytes = bytes.subspan(more);
      if (body_ != 0) return;
      head_ = 0;
      ++messages;
    }
  }
  std::uint64_t messages = 0;

 private:
  std::array<std::byte, header_bytes> header_;
  std::size_t head_ = 0, body_ = 0;
};

}  // namespace rdsco::bench
