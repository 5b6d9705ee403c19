// SPDX-License-Identifier: BSD-2-Clause
#include "node/node_core.hpp"
#include "node/remote_extensions.hpp"
#include "transports/loopback/direct_memory.hpp"

#include <rdsco/transport.hpp>

#include <algorithm>
#include <vector>

namespace rdsco {
namespace detail {
namespace {

/// Carries one path to another address of the same node: what is queued is delivered at once, in the sender's context, by
/// handing the datagram itself over. Acknowledgement and delivery are one.
class loopback_carrier final : public carrier {
 public:
  loopback_carrier(connection& by, direct_memory& memory) noexcept : by_(by), to_(*by.node.host(by.key.peer)), memory_(memory) {
    by_.share_peer_map(&to_.congested);
    by_.lane.epoch = 0;
  }

  void work_queued() noexcept override {
    // Delivery may wake a sender that queues more; the loop under way takes that as well.
    if (delivering_) return;
    delivering_ = true;
    while (by_.lane.has_unsent() && by_.may_read())
      if (take_payload()) pass_on(by_.lane.hand_over());
    delivering_ = false;
  }
  void reading_allowed() noexcept override { work_queued(); }
  void map_changed() noexcept override {}
  void break_off() noexcept override {}
  void stop() noexcept override {}

  errc open_offer(offer_core& offered) noexcept override { return memory_.add(offered); }
  void close_offer(offer_core& over) noexcept override {
    if (over.held != nullptr) memory_.remove(over);
    over.gone();
  }
  errc check_work(remote_work const&) noexcept override { return {}; }

  [[nodiscard]] local_host const& to() const noexcept { return to_; }
  void peer_ports_freed() noexcept { by_.wake_port_waiters(); }

 private:
  // The receiver owns what it is given, so a payload in its sender's memory is copied. Nobody would look again when there is
  // memory, so its sender is told that there is none, as it would be of a send that is copied at once.
  [[nodiscard]] bool take_payload() noexcept {
    datagram& head = *by_.lane.next_unsent();
    if (head.take_payload_over()) return true;
    socket_core& sender = *head.owner;
    sender.take_back(head, errc::limit_reached);
    sender.room_made();
    return false;
  }

  void pass_on(datagram& one) noexcept {
    socket_core& sender = *one.owner;
    bool const ping = one.kind == datagram_kind::ping;
    if (one.unrepeatable || one.offered != nullptr) [[unlikely]] {
      if (errc const why = do_remote(one); why != errc()) {
        datagram_account const account = sender.release_account(one);
        datagram::free(&one);
        return sender.settle_account(account, why);
      }
    }
    // Told only after delivery: an acknowledgement says that the peer's RDS layer has it.
    datagram_account const account = sender.release_account(one);
    if (ping) {
      answer(one);
    } else {
      deliver(one, to_, one.destination_port);
    }
    sender.settle_account(account);
  }

  // What comes before a datagram, and what it says of it.
  [[nodiscard]] errc do_remote(datagram& one) noexcept {
    if (one.work != nullptr) {
      if (errc const why = memory_.carry_out(*one.work, by_); why != errc()) return why;
    }
    one.extensions = extensions_of(one, false);
    one.work = nullptr;
    if (one.offered != nullptr) {
      one.offered->delivered = true;
      one.drop_offer();
    }
    auto const told = remote_extensions(one.extensions);
    connection* const back = by_.node.find({by_.key.peer, by_.key.local, by_.key.type_of_service});
    if (told.used && back != nullptr && one.kind == datagram_kind::data) back->offer_used(*told.used);
    return {};
  }

  // The answer goes to the socket that asked, whichever of the node's addresses it asked.
  void answer(datagram& ping) noexcept {
    ++by_.node.counted.recv_ping;
    ++by_.node.counted.send_pong;
    std::uint16_t const asker = ping.source_port;
    ping.source_port = 0;
    ping.destination_port = asker;
    socket_core* const to = by_.host.ports.find(asker);
    if (to != nullptr && to->expects_pong(by_)) {
      deliver(ping, by_.host, asker, by_.key.peer);
    } else {
      datagram::free(&ping);
    }
  }

  void deliver(datagram& one, local_host& at, std::uint16_t port) noexcept { deliver(one, at, port, by_.key.local); }

  void deliver(datagram& one, local_host& at, std::uint16_t port, address const& from) noexcept {
    one.by = nullptr;
    one.from = from;
    socket_core* const to = at.ports.find(port);
    if (to != nullptr && to->deliver(one, by_)) return;
    ++(to == nullptr ? by_.node.counted.recv_drop_no_sock : by_.node.counted.recv_drop_dead_sock);
    datagram::free(&one);
  }

  connection& by_;
  local_host& to_;
  direct_memory& memory_;
  bool delivering_ = false;
};

class loopback_transport final : public transport {
 public:
  explicit loopback_transport(node_core& node) noexcept : node_(node) {}

  std::string_view name() const noexcept override { return loopback::name; }
  std::error_code open(local_host&) override { return {}; }
  void start() override {}
  std::unique_ptr<carrier> carry(connection& by) override {
    // An address that only loopback carries has no way to other hosts.
    if (node_.host(by.key.peer) == nullptr) return nullptr;
    auto made = std::make_unique<loopback_carrier>(by, memory_);
    carriers_.push_back(made.get());
    return made;
  }
  task<result<region_core*>> register_memory(local_host& at, mutable_buffer memory) override {
    co_return result<region_core*>(new region_core(at, memory));
  }
  void congestion_changed(local_host& changed) noexcept override {
    for (loopback_carrier* const each : carriers_)
      if (&each->to() == &changed) each->peer_ports_freed();
  }
  task<> close() override {
    carriers_.clear();
    co_return;
  }

 private:
  node_core& node_;
  direct_memory memory_;
  std::vector<loopback_carrier*> carriers_;
};

}  // namespace
}  // namespace detail

std::unique_ptr<detail::transport> loopback::make(detail::node_core& node) {
  return std::make_unique<detail::loopback_transport>(node);
}

}  // namespace rdsco
