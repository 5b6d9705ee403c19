// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <string>
#include <system_error>

namespace rdsco::detail {

/// Why io_uring could not be set up, and what to do about it. `error` is a positive errno.
[[nodiscard]] std::error_code ring_error_code(int error) noexcept;
[[nodiscard]] std::string ring_error_text(int error);
[[noreturn]] void throw_ring_error(int error);

}  // namespace rdsco::detail
