// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/buffer.hpp>
#include <rdsco/detail/io_backend.hpp>
#include <rdsco/endpoint.hpp>
#include <rdsco/fwd.hpp>
#include <rdsco/result.hpp>
#include <rdsco/task.hpp>

#include <string>

namespace rdsco::tools {

/// The TCP connection over which two ends of a test agree.
class control_stream {
 public:
  explicit control_stream(loop& where) noexcept : where_(where) {}
  control_stream(control_stream const&) = delete;
  control_stream& operator=(control_stream const&) = delete;
  ~control_stream() { close(); }

  /// Errors: the system's.
  [[nodiscard]] std::error_code listen(endpoint const& at);
  /// Takes exactly one connection; nobody listens any more then. Errors: canceled, and the system's.
  [[nodiscard]] task<std::error_code> accept();
  /// Connects from `own`. Errors: the system's, timed_out after ten seconds.
  [[nodiscard]] task<std::error_code> connect(address own, endpoint peer);
  /// Errors: the system's.
  [[nodiscard]] task<std::error_code> send(const_buffer all);
  /// Fills `all`. Errors: connection_reset at the end of the stream, canceled, and the system's.
  [[nodiscard]] task<std::error_code> receive(mutable_buffer all);
  /// A line without its end, or what came before the end of the stream; at most 4096 bytes.
  [[nodiscard]] task<result<std::string>> receive_line();
  void close() noexcept;

  [[nodiscard]] endpoint local() const noexcept { return local_; }
  [[nodiscard]] endpoint peer() const noexcept { return peer_; }

 private:
  loop& where_;
  detail::io_handle listener_, stream_;
  endpoint local_, peer_;
};

}  // namespace rdsco::tools
