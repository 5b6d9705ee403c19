// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "account.hpp"

#include <string>

namespace demo {

void print_head();
/// Sorts the latencies on the way.
void print_row(std::string const& title, totals& sums);

}  // namespace demo
