// SPDX-License-Identifier: BSD-2-Clause
#include "tools/control_stream.hpp"

#include <rdsco/detail/stream_operations.hpp>
#include <rdsco/loop.hpp>
#include <rdsco/with_timeout.hpp>

#include <tuple>
#include <utility>

namespace rdsco::tools {

namespace {
constexpr std::chrono::seconds connect_patience{10};
constexpr std::size_t line_bytes_max = 4096;
}  // namespace

std::error_code control_stream::listen(endpoint const& at) {
  int const failed = where_.io().listen(at, 1, listener_);
  return {-failed, std::generic_category()};
}

task<std::error_code> control_stream::accept() {
  auto const taken = co_await detail::accept_awaiter(where_, listener_, detail::stream_tuning());
  where_.io().close(std::exchange(listener_, detail::io_handle()), false);
  if (taken.ec) co_return taken.ec;
  stream_ = taken.data.stream;
  local_ = taken.data.local;
  peer_ = taken.data.peer;
  co_return std::error_code();
}

task<std::error_code> control_stream::connect(address own, endpoint peer) {
  if (int const failed = where_.io().open_stream(own, detail::stream_tuning(), stream_))
    co_return std::error_code(-failed, std::generic_category());
  auto const connected = co_await with_timeout(connect_patience, detail::connect_awaiter(where_, stream_, peer));
  if (connected.ec)
    close();
  else
    std::tie(local_, peer_) = where_.io().ends(stream_);
  co_return connected.ec;
}

task<std::error_code> control_stream::send(const_buffer all) {
  while (!all.empty()) {
    auto const sent = co_await detail::send_awaiter(where_, stream_, all);
    if (sent.ec) co_return sent.ec;
    all = all.subspan(sent.data);
  }
  co_return std::error_code();
}

task<std::error_code> control_stream::receive(mutable_buffer all) {
  while (!all.empty()) {
    auto const got = co_await detail::receive_awaiter(where_, stream_, all);
    if (got.ec) co_return got.ec;
    if (got.data == 0) co_return std::make_error_code(std::errc::connection_reset);
    all = all.subspan(got.data);
  }
  co_return std::error_code();
}

task<result<std::string>> control_stream::receive_line() {
  std::string line;
  while (line.size() < line_bytes_max) {
    char next = 0;
    auto const got = co_await receive(std::as_writable_bytes(std::span<char>(&next, 1)));
    if (got == std::errc::connection_reset || next == '\n') break;
    if (got) co_return result<std::string>(got, line);
    line += next;
  }
  co_return line;
}

void control_stream::close() noexcept {
  if (listener_) where_.io().close(std::exchange(listener_, detail::io_handle()), false);
  if (stream_) where_.io().close(std::exchange(stream_, detail::io_handle()), false);
}

}  // namespace rdsco::tools
