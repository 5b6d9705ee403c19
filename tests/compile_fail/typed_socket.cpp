// SPDX-License-Identifier: BSD-2-Clause
// What a transport cannot do must not compile on a socket that is typed for it.
#include <rdsco/basic_socket.hpp>

#include <concepts>

using rdsco::basic_socket;

#if defined(TYPE_OF_SERVICE)
// TCP maps every type of service to 0, so there is nothing to set.
void use(basic_socket<rdsco::tcp>& typed, rdsco::socket& erased) {
#ifdef RDSCO_CONTROL
  static_cast<void>(typed);
  static_cast<void>(erased.set_type_of_service(5));
#else
  static_cast<void>(erased);
  static_cast<void>(typed.set_type_of_service(5));
#endif
}
#elif defined(NOT_A_TRANSPORT)
#ifdef RDSCO_CONTROL
basic_socket<rdsco::loopback> some;
#else
struct carrier_pigeon {};
basic_socket<carrier_pigeon> some;
#endif
#elif defined(WRONG_TRANSPORT)
// A socket of one transport is not a socket of another.
basic_socket<rdsco::tcp> move(basic_socket<rdsco::tcp>&& from) { return std::move(from); }
#ifdef RDSCO_CONTROL
basic_socket<rdsco::tcp> use(basic_socket<rdsco::tcp>&& from) { return move(std::move(from)); }
#else
basic_socket<rdsco::tcp> use(basic_socket<rdsco::loopback>&& from) { return move(std::move(from)); }
#endif
#elif defined(COPIED)
#ifdef RDSCO_CONTROL
rdsco::socket use(rdsco::socket& from) { return std::move(from); }
#else
rdsco::socket use(rdsco::socket& from) { return from; }
#endif
#elif defined(ERASED_BY_ACCIDENT)
#ifdef RDSCO_CONTROL
rdsco::socket use(basic_socket<rdsco::tcp>&& from) { return std::move(from).erase(); }
#else
rdsco::socket use(basic_socket<rdsco::tcp>&& from) { return std::move(from); }
#endif
#else
#error "choose a misuse"
#endif
