// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <string>
#include <system_error>

namespace rdsco {

/// What an rdsco operation can report. docs/errors.md says for each value what it means and what to do about it.
/// Each value is equivalent to the std::errc condition in its comment, so that `ec == std::errc::…` works.
enum class errc {
  canceled = 1,           ///< operation_canceled: the awaiting task was stopped; nothing was lost
  timed_out,              ///< timed_out: the deadline passed before the operation completed
  withdrawn,              ///< operation_canceled: a datagram was taken back before any byte of it was sent
  may_arrive,             ///< operation_in_progress: cancelled after bytes were sent; the datagram may still arrive, once
  would_block,            ///< resource_unavailable_try_again: the send buffer is full, or nothing is queued to receive
  congested,              ///< no_buffer_space: the destination port is congested
  message_too_large,      ///< message_size: above the node's message limit or the socket's send buffer
  not_bound,              ///< not_connected: the socket is not bound, or was moved from
  no_destination,         ///< destination_address_required: no destination named and no default peer set
  closed,                 ///< bad_file_descriptor: the socket or node was closed
  invalid_address,        ///< invalid_argument: wildcard, multicast or broadcast where one host is needed
  invalid_port,           ///< invalid_argument: a port that cannot be bound or sent to
  invalid_options,        ///< invalid_argument: a limit in the node's options with which nothing could work
  address_in_use,         ///< address_in_use: another socket of the node, or another process, has it
  address_not_owned,      ///< address_not_available: the node was not told to own this address
  address_family,         ///< address_family_not_supported: IPv4 and IPv6 mixed in one operation
  peer_not_allowed,       ///< permission_denied: the peer is not on the node's allow-list
  not_supported,          ///< operation_not_supported: the socket's transport cannot do this
  limit_reached,          ///< not_enough_memory: a limit of the node (peers, sockets, bytes) is exhausted
  out_of_memory,          ///< not_enough_memory: memory was refused
  ring_not_permitted,     ///< operation_not_permitted: io_uring is disabled here
  ring_unavailable,       ///< function_not_supported: io_uring cannot be used here
  no_device,              ///< no_such_device: no adapter carries this address
  device_unsuitable,      ///< no_such_device_or_address: the adapter of this address is of another kind than the transport, or too small
  device_not_permitted,   ///< permission_denied: this user may not use RDMA adapters
  locked_memory_limit,    ///< not_enough_memory: the memory that the adapter is to use may not be locked
  stale_offer,            ///< not_connected: the connection on which that memory was offered is gone, or the offer is over
  wrong_peer,             ///< invalid_argument: memory offered to one peer, or by one, named in a call for another
  not_registered,         ///< bad_address: the memory is in no region that the adapter of this connection knows
  invalid_range,          ///< result_out_of_range: not within the region, empty, or not aligned where it has to be
  remote_access,          ///< permission_denied: the peer does not permit this on that memory; nothing was changed by it
  remote_failed,          ///< io_error: an adapter failed to carry the operation out
  operation_dropped,      ///< connection_aborted: the connection broke; the operation may have been carried out, wholly or in part
};

[[nodiscard]] std::error_category const& category() noexcept;

[[nodiscard]] inline std::error_code make_error_code(errc value) noexcept {
  return {static_cast<int>(value), category()};
}

}  // namespace rdsco

template <>
struct std::is_error_code_enum<rdsco::errc> : std::true_type {};
