// SPDX-License-Identifier: BSD-2-Clause
#include <rdsco/detail/stream_operations.hpp>

#include <cerrno>

namespace rdsco::detail {

std::error_code io_error(std::int32_t result) noexcept {
  if (result >= 0) return {};
  if (result == -ECANCELED) return errc::canceled;
  return {-result, std::system_category()};
}

result<accept_awaiter::accepted> accept_awaiter::await_resume() noexcept {
  if (error()) return error();
  return accepted(operation().stream, operation().local, operation().peer);
}

bool send_awaiter::try_now() noexcept {
  operation().result =
      static_cast<std::int32_t>(io().try_send(stream_, std::span<const_buffer const>(&from_, 1)));
  return operation().result != -EAGAIN;
}

result<std::size_t> send_awaiter::await_resume() noexcept {
  if (error()) return error();
  return static_cast<std::size_t>(operation().result);
}

result<std::size_t> receive_awaiter::await_resume() noexcept {
  if (error()) return error();
  return static_cast<std::size_t>(operation().result);
}

result<readiness> ready_awaiter::await_resume() noexcept {
  if (error()) return error();
  return static_cast<readiness>(operation().result);
}

}  // namespace rdsco::detail
