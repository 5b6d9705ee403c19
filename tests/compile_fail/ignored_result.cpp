// SPDX-License-Identifier: BSD-2-Clause
// What could go wrong: a program drops the outcome of an operation and loses datagrams without noticing.
// How the test forces it: calls a function that returns a result and ignores it.
#include <rdsco/result.hpp>

rdsco::result<int> operation();

void misuse() {
#ifdef RDSCO_CONTROL
  operation().value();
#else
  operation();
#endif
}
