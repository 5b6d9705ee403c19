// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstring>
#include <ranges>
#include <span>
#include <string_view>
#include <type_traits>

namespace rdsco {

using const_buffer = std::span<std::byte const>;
using mutable_buffer = std::span<std::byte>;

namespace detail {
template <class T>
concept byte_like = std::is_trivially_copyable_v<T> && sizeof(T) == 1;
template <class R>
concept byte_range = std::ranges::contiguous_range<R> && std::ranges::sized_range<R> &&
                     byte_like<std::remove_cv_t<std::ranges::range_value_t<R>>>;
}  // namespace detail

/// The bytes of one datagram to send: one contiguous run, or a gather list of several.
/// Lifetime: refers to the caller's memory and, for a gather list, to the caller's array of buffers.
class const_buffers {
 public:
  const_buffers() noexcept = default;
  const_buffers(const_buffer one) noexcept : one_(one) {}
  const_buffers(std::span<const_buffer const> list) noexcept : list_(list), is_list_(true) {}
  template <detail::byte_range R>
    requires(!std::is_same_v<std::remove_cvref_t<R>, const_buffers> && !std::is_array_v<std::remove_cvref_t<R>>)
  const_buffers(R const& bytes) noexcept
      : one_(reinterpret_cast<std::byte const*>(std::ranges::data(bytes)), std::ranges::size(bytes)) {}
  /// A string literal, without its terminator.
  const_buffers(char const* text) noexcept : const_buffers(std::string_view(text)) {}

  /// Lifetime: the array may lie in this object, so a temporary has none to give; iterate over the temporary itself.
  [[nodiscard]] std::span<const_buffer const> parts() const& noexcept {
    return is_list_ ? list_ : std::span<const_buffer const>(&one_, 1);
  }
  std::span<const_buffer const> parts() const&& = delete;
  [[nodiscard]] const_buffer const* begin() const noexcept { return parts().data(); }
  [[nodiscard]] const_buffer const* end() const noexcept { return parts().data() + parts().size(); }
  [[nodiscard]] std::size_t size() const noexcept {
    if (!is_list_) return one_.size();
    std::size_t total = 0;
    for (auto const& part : list_) total += part.size();
    return total;
  }
  /// Copies everything, in order. Lifetime: `to` has room for size() bytes.
  void copy_to(std::byte* to) const noexcept {
    for (auto const& part : parts()) {
      if (!part.empty()) std::memcpy(to, part.data(), part.size());
      to += part.size();
    }
  }

 private:
  const_buffer one_;
  std::span<const_buffer const> list_;
  bool is_list_ = false;
};

/// The bytes of anything contiguous with elements of one byte: `buffer(std::string)`, `buffer(std::vector<unsigned char>)`…
template <detail::byte_range R>
[[nodiscard]] const_buffer buffer(R const& bytes) noexcept {
  return {reinterpret_cast<std::byte const*>(std::ranges::data(bytes)), std::ranges::size(bytes)};
}

template <detail::byte_range R>
  requires(!std::is_const_v<std::remove_reference_t<std::ranges::range_reference_t<R>>>)
[[nodiscard]] mutable_buffer mutable_bytes(R& bytes) noexcept {
  return {reinterpret_cast<std::byte*>(std::ranges::data(bytes)), std::ranges::size(bytes)};
}

/// The bytes as text, without a copy. Lifetime: that of the bytes.
[[nodiscard]] inline std::string_view as_text(const_buffer bytes) noexcept {
  return {reinterpret_cast<char const*>(bytes.data()), bytes.size()};
}

}  // namespace rdsco
