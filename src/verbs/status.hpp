// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/error.hpp>

#include <infiniband/verbs.h>

#include <system_error>

namespace rdsco::verbs {

/// Completion statuses as error codes. Their values are those of ibv_wc_status; equal to the std::errc condition a caller would test.
[[nodiscard]] std::error_category const& completion_category() noexcept;
[[nodiscard]] inline std::error_code code_of(ibv_wc_status status) noexcept {
  return status == IBV_WC_SUCCESS ? std::error_code() : std::error_code(static_cast<int>(status), completion_category());
}

/// How a remote operation ended whose request completed so. Requests that were flushed, or reached nobody, say nothing of their own: their
/// connection is over, and what was under way on it is dropped.
[[nodiscard]] errc outcome_of(ibv_wc_status status) noexcept;

}  // namespace rdsco::verbs
