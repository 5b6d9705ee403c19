// SPDX-License-Identifier: BSD-2-Clause
// What could go wrong: an installed rdsco lacks a header, a symbol or a flag that its consumers need.
// How the test forces it: this program sees nothing but the installed (or added) rdsco, is linked and run.
#include <rdsco/endpoint.hpp>
#include <rdsco/error.hpp>
#include <rdsco/result.hpp>

#include <cstdio>
#include <string_view>

int main() {
  rdsco::result<int> const failed = rdsco::errc::congested;
  bool const good = !failed && failed.ec.category() == rdsco::category() && rdsco::category().name() == std::string_view("rdsco");
  std::printf("%s: %s\n", rdsco::category().name(), failed.ec.message().c_str());
  return good ? 0 : 1;
}
