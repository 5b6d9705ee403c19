// SPDX-License-Identifier: BSD-2-Clause
#pragma once

namespace rdsco::detail {

/// Prints `text` with its place and aborts. Misuse that would corrupt memory later is caught here, in release builds too.
[[noreturn, gnu::cold]] void fail(char const* text, char const* file, int line) noexcept;

}  // namespace rdsco::detail

#define RDSCO_CHECK(condition, text) ((condition) ? void() : ::rdsco::detail::fail((text), __FILE__, __LINE__))
