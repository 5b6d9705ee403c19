// SPDX-License-Identifier: BSD-2-Clause
// An adapter registers memory by windows or in slots. What needs no adapter, or none that exists, is no fabric.
#include "transports/iwarp/fabric.hpp"

using namespace rdsco;

#ifdef RDSCO_CONTROL
using some = detail::registering<detail::iwarp_fabric, registration::fmr>;
#elif defined(DIRECT)
using some = detail::registering<detail::iwarp_fabric, registration::direct>;
#elif defined(NONE)
using some = detail::registering<detail::iwarp_fabric, registration::none>;
#else
using some = detail::registering<int, registration::fmr>;
#endif
static_assert(some::memory == registration::fmr);
