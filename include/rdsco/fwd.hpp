// SPDX-License-Identifier: BSD-2-Clause
#pragma once

namespace rdsco {

class loop;
class message;
class node;
class socket;
template <class Transport>
class basic_socket;
template <class T>
class task;

namespace detail {
class carrier;
class connection;
class node_core;
class path;
class socket_core;
class transport;
struct datagram;
struct local_host;
}  // namespace detail

}  // namespace rdsco
