// SPDX-License-Identifier: BSD-2-Clause
#pragma once

namespace rdsco::detail {

/// An eventfd: readable from set() on, until clear(). Errors: the constructor throws std::system_error.
class wake_descriptor {
 public:
  wake_descriptor();
  wake_descriptor(wake_descriptor const&) = delete;
  wake_descriptor& operator=(wake_descriptor const&) = delete;
  ~wake_descriptor();

  void set() const noexcept;  ///< any thread
  void clear() const noexcept;
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

 private:
  int descriptor_;
};

}  // namespace rdsco::detail
