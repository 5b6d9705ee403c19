// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/detail/io_backend.hpp>

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <span>
#include <utility>

namespace rdsco::detail {

// Plain TCP sockets by descriptor: what every backend on real sockets needs. All return -errno on failure.
// The descriptors are blocking ones, so that a ring waits where it must; the try_ functions ask not to wait each time.

[[nodiscard]] int listen_socket(endpoint const& local, int backlog, int& out) noexcept;
[[nodiscard]] int open_stream_socket(address const& local, stream_tuning const& tuning, int& out) noexcept;
void tune_stream(int descriptor, stream_tuning const& tuning) noexcept;
[[nodiscard]] std::pair<endpoint, endpoint> socket_ends(int descriptor) noexcept;

[[nodiscard]] std::ptrdiff_t try_send_on(int descriptor, std::span<const_buffer const> from) noexcept;
[[nodiscard]] std::ptrdiff_t try_receive_on(int descriptor, std::span<mutable_buffer const> into) noexcept;
[[nodiscard]] std::size_t unread_on(int descriptor) noexcept;
[[nodiscard]] std::optional<std::size_t> unacknowledged_on(int descriptor) noexcept;
/// Closes; with `reset` the peer sees a reset and unsent bytes are dropped.
void close_socket(int descriptor, bool reset) noexcept;

/// The first buffers of a list as iovecs; returns how many fitted.
template <class Buffer>
std::size_t fill_iovecs(std::span<Buffer const> from, std::span<iovec> to) noexcept {
  std::size_t count = 0;
  for (auto const& part : from) {
    if (count == to.size()) break;
    if (part.empty()) continue;
    to[count].iov_base = const_cast<std::byte*>(part.data());
    to[count].iov_len = part.size();
    ++count;
  }
  return count;
}

}  // namespace rdsco::detail
