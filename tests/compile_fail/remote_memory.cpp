// SPDX-License-Identifier: BSD-2-Clause
// What a transport cannot do with remote memory must not compile on a socket that is typed for it.
#include <rdsco/basic_socket.hpp>
#include <rdsco/verbs/ib.hpp>
#include <rdsco/verbs/iwarp.hpp>

using rdsco::basic_socket;

#if defined(REGISTERS_OVER_TCP)
#ifdef RDSCO_CONTROL
using typed = basic_socket<rdsco::iwarp>;
#else
using typed = basic_socket<rdsco::tcp>;
#endif
void use(typed& of, rdsco::mutable_buffer memory) { static_cast<void>(of.register_memory(memory)); }
#elif defined(WRITES_OVER_TCP)
#ifdef RDSCO_CONTROL
using typed = basic_socket<rdsco::iwarp>;
#else
using typed = basic_socket<rdsco::tcp>;
#endif
void use(typed& of, rdsco::region_slice const& from, rdsco::remote_memory const& to) { static_cast<void>(of.rdma_write(from, to)); }
#elif defined(COUNTS_OVER_IWARP)
#ifdef RDSCO_CONTROL
using typed = basic_socket<rdsco::ib>;
#else
using typed = basic_socket<rdsco::iwarp>;
#endif
void use(typed& of, rdsco::remote_memory const& to) { static_cast<void>(of.fetch_add(to, 0, 1)); }
#else
#error "choose a misuse"
#endif
