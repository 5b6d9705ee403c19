// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/node_options.hpp>

#ifdef SAMPLES_HAVE_VERBS
#include <rdsco/verbs/ib.hpp>
#include <rdsco/verbs/iwarp.hpp>
#endif

#include <string_view>

/// Owns `at` with the transport that the command line names. False: there is none of that name.
inline bool own_with(std::string_view transport, rdsco::node_options& options, rdsco::address const& at) {
  if (transport == "loopback") return options.own<rdsco::loopback>(at), true;
#ifdef SAMPLES_HAVE_VERBS
  if (transport == "ib") return options.own<rdsco::ib>(at), true;
  if (transport == "iwarp") return options.own<rdsco::iwarp>(at), true;
#endif
  return false;
}
