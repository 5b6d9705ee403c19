// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <string>
#include <system_error>

#include <sys/types.h>

namespace rdsco::detail {

/// A descriptor that is closed with its owner.
class owned_descriptor {
 public:
  owned_descriptor() noexcept = default;
  explicit owned_descriptor(int number) noexcept : number_(number) {}
  owned_descriptor(owned_descriptor&& other) noexcept;
  owned_descriptor& operator=(owned_descriptor&& other) noexcept;
  ~owned_descriptor();

  [[nodiscard]] int get() const noexcept { return number_; }
  [[nodiscard]] explicit operator bool() const noexcept { return number_ >= 0; }

 private:
  int number_ = -1;
};

/// A listening AF_UNIX stream socket at a path, for the user of this process only. Non-blocking.
class local_listener {
 public:
  local_listener() noexcept = default;
  local_listener(local_listener const&) = delete;
  local_listener& operator=(local_listener const&) = delete;
  ~local_listener() { close(); }

  /// Errors: those of stats_server::open().
  [[nodiscard]] std::error_code open(std::string const& path);
  /// The next client that may be served; none: nobody waits (would_block), or the reason why accepting fails now.
  [[nodiscard]] owned_descriptor accept(std::error_code& why) noexcept;
  /// Removes the file, if it is still this socket's, and closes.
  void close() noexcept;
  [[nodiscard]] int descriptor() const noexcept { return socket_.get(); }

 private:
  owned_descriptor socket_;
  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace rdsco::detail
