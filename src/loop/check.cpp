// SPDX-License-Identifier: BSD-2-Clause
#include <rdsco/detail/check.hpp>

#include <cstdio>
#include <cstdlib>

namespace rdsco::detail {

void fail(char const* text, char const* file, int line) noexcept {
  std::fprintf(stderr, "rdsco: %s (%s:%d)\n", text, file, line);
  std::abort();
}

}  // namespace rdsco::detail
