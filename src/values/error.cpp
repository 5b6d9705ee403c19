// SPDX-License-Identifier: BSD-2-Clause
#include <rdsco/error.hpp>

#include <array>

namespace rdsco {
namespace {

struct explanation {
  errc value;
  std::errc condition;
  char const* text;
};

// In the order of the enumeration.
constexpr std::array explanations{
    explanation{errc::canceled, std::errc::operation_canceled, "canceled: the awaiting task was stopped; nothing was lost"},
    explanation{errc::timed_out, std::errc::timed_out, "timed out: try again, or allow more time"},
    explanation{errc::withdrawn, std::errc::operation_canceled,
                "withdrawn: the datagram was taken back before any of it was sent; it may be sent again safely"},
    explanation{errc::may_arrive, std::errc::operation_in_progress,
                "cancelled after part of the datagram was sent: it may still arrive, once; sending it again may deliver it twice"},
    explanation{errc::would_block, std::errc::resource_unavailable_try_again,
                "would block: await the operation, or try again when the socket is readable or writable"},
    explanation{errc::congested, std::errc::no_buffer_space,
                "the destination port is congested: wait until it is writable, its receiver is slower than its senders"},
    explanation{errc::message_too_large, std::errc::message_size,
                "the message is too large: split it, or raise the node's message limit and the socket's send buffer"},
    explanation{errc::not_bound, std::errc::not_connected, "the socket is not bound: bind it to an address of the node first"},
    explanation{errc::no_destination, std::errc::destination_address_required,
                "no destination: name one in the call, or set a default peer with connect()"},
    explanation{errc::closed, std::errc::bad_file_descriptor, "closed: this socket or its node was closed; open a new one"},
    explanation{errc::invalid_address, std::errc::invalid_argument,
                "invalid address: name one host, not a wildcard, multicast or broadcast address"},
    explanation{errc::invalid_port, std::errc::invalid_argument, "invalid port: it cannot be bound or sent to; name another one"},
    explanation{errc::invalid_options, std::errc::invalid_argument,
                "node options that cannot work: a limit is zero, message_bytes is not below 4 MiB, or memory_bytes is less than four times "
                "message_bytes and 1 MiB"},
    explanation{errc::address_in_use, std::errc::address_in_use,
                "address in use: another socket of the node, or another process, has it; choose another port or close that one"},
    explanation{errc::address_not_owned, std::errc::address_not_available,
                "the node does not own this address: add it to the node's addresses, or bind one that it has"},
    explanation{errc::address_family, std::errc::address_family_not_supported,
                "IPv4 and IPv6 are mixed: use addresses of one family at both ends"},
    explanation{errc::peer_not_allowed, std::errc::permission_denied,
                "the peer is not on the node's allow-list: add its address if it is to be trusted"},
    explanation{errc::not_supported, std::errc::operation_not_supported,
                "not supported by the transport of this socket's address: use a transport that can, or another operation"},
    explanation{errc::limit_reached, std::errc::not_enough_memory,
                "a limit of the node is reached: raise it in the node's options, or close what is no longer needed"},
    explanation{errc::out_of_memory, std::errc::not_enough_memory, "memory was refused: free some, or lower the node's limits"},
    explanation{errc::ring_not_permitted, std::errc::operation_not_permitted,
                "io_uring is forbidden here: allow it (kernel.io_uring_disabled, the container's seccomp profile)"},
    explanation{errc::ring_unavailable, std::errc::function_not_supported,
                "io_uring cannot be used here: Linux 6.1 or newer is needed"},
    explanation{errc::no_device, std::errc::no_such_device,
                "no RDMA adapter carries this address: give it to the adapter's network interface, look at `rdma link`, and see that the module "
                "rdma_ucm is loaded"},
    explanation{errc::device_unsuitable, std::errc::no_such_device_or_address,
                "the adapter of this address is of another kind, or cannot hold as much as a connection needs: take the transport that fits it, or "
                "another adapter"},
    explanation{errc::device_not_permitted, std::errc::permission_denied,
                "this user may not use RDMA adapters: give it read and write access to /dev/infiniband/rdma_cm and /dev/infiniband/uverbs*"},
    explanation{errc::locked_memory_limit, std::errc::not_enough_memory,
                "the adapter may not have so much memory: raise the limit of locked memory (ulimit -l, LimitMEMLOCK= of a "
                "service), or lower verbs.receives and verbs.sends; each of these takes 4160 bytes a connection, by default 1560 KiB in all"},
    explanation{errc::stale_offer, std::errc::not_connected,
                "stale offer: the connection on which that memory was offered is gone, or the offer is over; have it offered again"},
    explanation{errc::wrong_peer, std::errc::invalid_argument,
                "wrong peer: that memory was offered to another peer, or by another one; an offer is good for one peer only"},
    explanation{errc::not_registered, std::errc::bad_address,
                "not registered: take memory from a region of this socket's address that is neither closed nor lost with its adapter"},
    explanation{errc::invalid_range, std::errc::result_out_of_range,
                "invalid range: name bytes within the region, at least one, and for atomics eight that are aligned"},
    explanation{errc::remote_access, std::errc::permission_denied,
                "the peer does not permit this on that memory: the offer is over, too small, or for another use (a kernel never permits atomics)"},
    explanation{errc::remote_failed, std::errc::io_error,
                "an adapter failed to carry the operation out: the connection's `trouble` in the tables says what it reported"},
    explanation{errc::operation_dropped, std::errc::connection_aborted,
                "dropped: the connection broke under the operation, which may have been carried out wholly or in part; have the memory offered "
                "again and repeat it where that is safe"},
};

explanation const* find(int value) noexcept {
  if (value < 1 || value > static_cast<int>(explanations.size())) return nullptr;
  return &explanations[static_cast<std::size_t>(value) - 1];
}

class rdsco_category final : public std::error_category {
 public:
  char const* name() const noexcept override { return "rdsco"; }
  std::string message(int value) const override {
    explanation const* const found = find(value);
    return found != nullptr ? found->text : "unknown rdsco error " + std::to_string(value);
  }
  std::error_condition default_error_condition(int value) const noexcept override {
    explanation const* const found = find(value);
    if (found == nullptr) return {value, *this};
    return std::make_error_condition(found->condition);
  }
};

}  // namespace

// Identity matters to std::error_code, so there is one, without any state.
std::error_category const& category() noexcept {
  static rdsco_category const instance;
  return instance;
}

}  // namespace rdsco
