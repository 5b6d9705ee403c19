// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <catch2/catch.hpp>

// Catch names the tested expression a second and third time, in places that are never evaluated. GCC 12 evaluates a co_await there
// all the same (tests/gcc12), so REQUIRE(co_await …) would do everything twice. This form names it once.
#undef INTERNAL_CATCH_TEST
#define INTERNAL_CATCH_TEST(macro_name, disposition, ...)                                                                       \
  do {                                                                                                                          \
    Catch::AssertionHandler rdsco_assertion(macro_name##_catch_sr, CATCH_INTERNAL_LINEINFO, CATCH_INTERNAL_STRINGIFY(__VA_ARGS__), \
                                            disposition);                                                                       \
    try {                                                                                                                       \
      CATCH_INTERNAL_START_WARNINGS_SUPPRESSION                                                                                 \
      CATCH_INTERNAL_SUPPRESS_PARENTHESES_WARNINGS                                                                              \
      rdsco_assertion.handleExpr(Catch::Decomposer() <= __VA_ARGS__);                                                           \
      CATCH_INTERNAL_STOP_WARNINGS_SUPPRESSION                                                                                  \
    } catch (...) {                                                                                                             \
      rdsco_assertion.handleUnexpectedInflightException();                                                                      \
    }                                                                                                                           \
    rdsco_assertion.complete();                                                                                                 \
  } while (false)
