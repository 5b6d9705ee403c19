// SPDX-License-Identifier: BSD-2-Clause
// A braced list as an argument inside co_await: GCC 12 stops with an internal error, "array used as initializer".
#include <rdsco/task.hpp>

#include <string>
#include <vector>

rdsco::task<std::size_t> count(std::vector<std::string> values) { co_return values.size(); }
rdsco::task<std::size_t> calls() { co_return co_await count({"a", "b", "c"}); }
