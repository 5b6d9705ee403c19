// SPDX-License-Identifier: BSD-2-Clause
// A consumer of rdsco::verbs: it links, and says what keeps it from an adapter where there is none.
#include <rdsco/rdsco.hpp>
#include <rdsco/verbs/ib.hpp>
#include <rdsco/verbs/iwarp.hpp>

#include <iostream>

int main() {
  rdsco::loop loop;
  rdsco::node_options options;
  options.own<rdsco::ib>(rdsco::address::v4(127, 0, 0, 1)).own<rdsco::iwarp>(rdsco::address::v4(127, 0, 0, 2));
  auto const node = rdsco::node::open(loop, options);
  std::cout << (node.ec ? node.ec.message() : "there are adapters") << '\n';
  return 0;
}
