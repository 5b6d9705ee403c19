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

CLI::Option* add_transport(CLI::App& to, std::string& into) {
  return to.add_option("--transport", into, "What carries RDS between the hosts")
      ->check(CLI::IsMember(transports()))
      ->type_name("NAME")
      ->capture_default_str();
}

void own(node_options& settings, address const& at, std::string const& transport) { transports().at(transport)(settings, at); }

}  // namespace rdsco::tools
