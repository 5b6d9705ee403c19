// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <source_location>
#include <span>

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size);

namespace rdsco::fuzz {

/// Ends the program, in every build type, if a property does not hold for an input.
inline void require(bool holds, std::source_location where = std::source_location::current()) {
  if (!holds) {
    std::fprintf(stderr, "%s:%u: a property does not hold\n", where.file_name(), static_cast<unsigned>(where.line()));
    std::abort();
  }
}

/// Takes an input apart from its front. Where it has run out, it gives zeros and empty spans.
class input {
 public:
  input(std::uint8_t const* data, std::size_t size) : rest_(std::as_bytes(std::span{data, size})) {}

  [[nodiscard]] bool empty() const { return rest_.empty(); }

  std::span<std::byte const> bytes(std::size_t count) {
    auto const taken = rest_.first(count < rest_.size() ? count : rest_.size());
    rest_ = rest_.subspan(taken.size());
    return taken;
  }

  template <class Integer>
  Integer number() {
    std::uint64_t value = 0;
    for (std::byte const b : bytes(sizeof(Integer))) value = value << 8 | std::to_integer<std::uint64_t>(b);
    return static_cast<Integer>(value);
  }

  std::span<std::byte const> rest() { return bytes(rest_.size()); }

 private:
  std::span<std::byte const> rest_;
};

}  // namespace rdsco::fuzz
