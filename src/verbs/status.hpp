// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <infiniband/verbs.h>

#include <cstdint>
#include <system_error>

namespace rdsco::verbs {

/// What an RDS notification says about a remote operation, with the numbers of the kernel's RDS.
enum class notification : std::uint8_t { success = 0, remote_error = 1, canceled = 2, dropped = 3, other_error = 4 };

/// Completion statuses as error codes. Their values are those of ibv_wc_status; equal to the std::errc condition a caller would test.
[[nodiscard]] std::error_category const& completion_category() noexcept;
[[nodiscard]] inline std::error_code code_of(ibv_wc_status status) noexcept {
  return status == IBV_WC_SUCCESS ? std::error_code() : std::error_code(static_cast<int>(status), completion_category());
}

/// The same on every transport. A flushed request says nothing yet: its message is dropped when the path connects again.
[[nodiscard]] notification notification_of(ibv_wc_status status) noexcept;

}  // namespace rdsco::verbs
