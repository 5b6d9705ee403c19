// SPDX-License-Identifier: BSD-2-Clause
// What could go wrong: with_timeout() of something else is refused with a page of templates that names no mistake.
// How the test forces it: a number, and a task that is not handed over.
#include <rdsco/sleep.hpp>
#include <rdsco/with_timeout.hpp>

#include <chrono>

rdsco::task<int> work();

rdsco::task<> misuse() {
  std::chrono::seconds const second(1);
#if defined(RDSCO_CONTROL)
  auto const slept = co_await rdsco::with_timeout(second, rdsco::sleep(second));
  auto const worked = co_await rdsco::with_timeout(second, work());
  static_cast<void>(slept);
  static_cast<void>(worked);
#elif defined(NOT_AWAITABLE)
  co_await rdsco::with_timeout(second, 5);
#else
  auto kept = work();
  static_cast<void>(co_await rdsco::with_timeout(second, kept));
#endif
}
