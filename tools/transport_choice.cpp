// SPDX-License-Identifier: BSD-2-Clause
#include "tools/transport_choice.hpp"

#include <rdsco/transport.hpp>
#ifdef RDSCO_HAS_VERBS
#include <rdsco/verbs/ib.hpp>
#include <rdsco/verbs/iwarp.hpp>
#endif

#include <map>

namespace rdsco::tools {

namespace {

using owner = void (*)(node_options&, address const&);

template <transport_tag T>
std::pair<std::string const, owner> known() {
  return {std::string(T::name), [](node_options& settings, address const& at) { settings.own<T>(at); }};
}

std::map<std::string, owner> const& transports() {
  static std::map<std::string, owner> const all{
      known<tcp>(),
#ifdef RDSCO_HAS_VERBS
      known<ib>(), known<iwarp>(),
#endif
  };
  return all;
}

}  // namespace

std::vector<std::string> transport_names() {
  std::vector<std::string> names;
  for (auto const& [name, makes_owner] : transports()) names.push_back(name);
  return names;
}

void own(node_options& settings, address const& at, std::string const& transport) { transports().at(transport)(settings, at); }

}  // namespace rdsco::tools
