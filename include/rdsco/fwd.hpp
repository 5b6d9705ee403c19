// SPDX-License-Identifier: BSD-2-Clause
#pragma once

namespace rdsco {

class loop;
class memory_offer;
class message;
class node;
class region;
class region_slice;
class remote_memory;
class socket;
enum class errc;
template <class Transport>
class basic_socket;
template <class T>
class task;

namespace detail {
class carrier;
class connection;
class node_core;
class offer_core;
class path;
class region_core;
class remote_state;
class socket_core;
class transport;
struct accompaniment;
struct datagram;
struct local_host;
struct remote_work;
}  // namespace detail

}  // namespace rdsco
