// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "verbs/api.hpp"
#include "verbs/fake_memory.hpp"

#include <rdsco/endpoint.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string_view>
#include <vector>

namespace rdsco::test {

class fake_api;
struct fake_pair;
struct fake_id;

/// A notification descriptor as rdma-core's channels have one, and what waits in it.
class fake_descriptor {
 public:
  fake_descriptor();
  ~fake_descriptor();
  fake_descriptor(fake_descriptor const&) = delete;
  fake_descriptor& operator=(fake_descriptor const&) = delete;
  [[nodiscard]] int number() const noexcept { return number_; }
  void set(bool readable) noexcept;

 private:
  int number_;
};

struct fake_events : rdma_event_channel {
  fake_descriptor ready;
  std::deque<verbs::cm_event> waiting;
};

struct fake_queue;
struct fake_channel : ibv_comp_channel {
  fake_descriptor ready;
  std::deque<fake_queue*> waiting;
};

struct fake_device_events : verbs::device_events {
  fake_descriptor ready;
  std::deque<verbs::device_event> waiting;
};

struct fake_queue : ibv_cq {
  std::deque<ibv_wc> completions;
  bool armed = false;
  bool solicited_only = false;
  std::size_t entries = 0;
  unsigned taken = 0, acknowledged = 0;  // events
};

struct fake_receive {
  std::uint64_t number = 0;
  std::vector<ibv_sge> into;
};
struct fake_send {
  ibv_send_wr request{};
  std::vector<ibv_sge> elements;  // what it sends; of READ and atomics, where the answer goes
  fake_binding binding;
  bool late = false;     // asked, and not answered yet: what follows may pass it
  bool outdone = false;  // carried out, and told after what it passed
};

/// One end of a reliable connection. Requests are carried out in their order, late READs excepted, and told in their order; a queue
/// pair in error flushes all it has, in order.
struct fake_pair : ibv_qp {
  fake_id* of = nullptr;
  fake_queue* sends_to = nullptr;
  fake_queue* receives_to = nullptr;
  ibv_qp_cap cap{};
  std::deque<fake_receive> receives;
  std::deque<fake_send> sends;
  std::size_t unsignaled = 0;  // carried out and not told: they hold their places
  bool failed = false;
  bool heard = false;  // something came from the peer
};

struct fake_id : rdma_cm_id {
  std::size_t* account = nullptr;  // objects on its device
  fake_events* events = nullptr;
  endpoint local, peer;
  fake_id* other = nullptr;  // the connected end, or the one that is being asked
  bool listening = false;
  bool connected = false;
  bool asked = false;  // it connected; the other end accepted
  bool ended = false;
  fake_pair* pair = nullptr;
};

/// What adapters do by their kind.
struct fake_rules {
  bool retries = true;          ///< a message that finds no receive waits for one; otherwise it ends the connection
  bool anyone_first = true;     ///< otherwise what the accepting end sends before it heard something ends the connection
  bool pads = true;             ///< private data is as long as the connection manager's messages; otherwise as long as it was given
  bool announces = true;        ///< a queue can be armed for announced messages only; otherwise it then stays silent
  bool windows = true;          ///< memory windows of type 2
  bool atomics = true;
  bool fenced_reads = true;     ///< a READ may have a fence; otherwise it is refused
  bool answers_while_waiting = true;  ///< otherwise no READ is answered where a request is held back by a fence
  bool chosen_addresses = true; ///< regions are addressed as they were registered; otherwise where they lie
  bool tells_refusal = true;    ///< a requester hears that access was refused; otherwise its WRITE succeeds and its connection ends
  bool read_sink_needs_remote_write = false;
  bool reaches_itself = true;   ///< two addresses of one adapter can be connected; otherwise nothing hears the request

  fake_rules() = default;
  explicit fake_rules(ibv_node_type type) noexcept {
    if (type != IBV_NODE_RNIC) return;
    retries = anyone_first = pads = announces = windows = atomics = fenced_reads = chosen_addresses = tells_refusal = reaches_itself = false;
    read_sink_needs_remote_write = true;
  }
};

/// What an adapter of this kind says of itself, windows as far as the rules have them; soft-RoCE's and soft-iWARP's numbers where they
/// matter.
[[nodiscard]] ibv_device_attr fake_attributes(ibv_node_type type) noexcept;

/// Hosts with one adapter each, on one fabric: the verbs as RDS uses them, InfiniBand's or iWARP's, carried out at once and in the order
/// of the calls. What a test forbids does not happen: cut() stops messages, and every call that can fail can be made to.
class fake_fabric {
 public:
  explicit fake_fabric(ibv_node_type type = IBV_NODE_CA) noexcept : node_type(type), rules(type), attributes(fake_attributes(type)) {}
  ~fake_fabric();
  fake_fabric(fake_fabric const&) = delete;
  fake_fabric& operator=(fake_fabric const&) = delete;

  /// The table of one host, which has these addresses.
  [[nodiscard]] std::unique_ptr<verbs::api> host(std::vector<address> addresses);

  /// Between two hosts nothing is carried out, and no request for a connection answered, until it is undone.
  void cut(address const& one, address const& other, bool on);
  /// Every connection between two hosts breaks: both ends hear of it by a failed completion.
  void break_connections(address const& one, address const& other, ibv_wc_status status = IBV_WC_RETRY_EXC_ERR);
  /// The call number `count` from now on that can fail does, with -ENOMEM; 0: none.
  void fail_call(std::uint64_t count) noexcept { fail_in_ = count; }
  /// Likewise the poll number `count` from now on that would have brought something; completions stay where they are.
  void fail_poll(std::uint64_t count) noexcept { fail_poll_in_ = count; }
  /// A call that is to fail has not been reached.
  [[nodiscard]] bool failing() const noexcept { return fail_in_ != 0 || fail_poll_in_ != 0; }
  [[nodiscard]] std::uint64_t calls() const noexcept { return calls_; }

  /// What an adapter, a driver or a wire may do at its worst. All off at first.
  struct faults {
    /// A message or a WRITE that this takes is acknowledged to its sender and reaches no memory.
    std::function<bool(ibv_send_wr const&, std::span<std::byte const>)> swallow;
    /// Messages arrive just before their queue is armed: they make no event.
    bool at_last_moment = false;
    /// A queue that is armed has an event at once, without a completion.
    bool spurious_events = false;
    /// Nobody hears of a queue's event until release_events().
    bool hold_events = false;
    /// The accepting side never hears that the connection is established.
    bool lose_established = false;
    /// READs and atomics are answered after all that was posted behind them and may pass them, which a fence forbids. One that
    /// nothing follows waits for it, or for release_reads().
    bool late_reads = false;
    /// Calls that fail for as long as they stand here, and with what.
    std::map<std::string_view, int> refused;
  } faults;
  void release_events();
  void release_reads();
  /// What a host posts is accepted and stays with its adapter, even behind the end of a connection, until this is undone or the
  /// queue pair is gone.
  void hold_sends(address const& of, bool on);
  /// The connection manager tells both ends that they are disconnected, and no completion does.
  void tell_disconnected(address const& one, address const& other);
  /// The adapter of a host is pulled out: its identifiers hear of it, its connections are dead, and nothing can be made on it.
  void remove_device(address const& of);
  /// Another one is put in.
  void restore_device(address const& of);
  /// The adapter of a host says something: of itself, or of a connection with a peer.
  void tell_event(address const& of, ibv_event_type type);
  void tell_event_of_connection(address const& of, address const& peer, ibv_event_type type);
  /// Once more, all that adapters have said, however old.
  void tell_events_again();
  /// Objects that a host has on its adapter.
  [[nodiscard]] std::size_t alive_on(address const& of) const;
  /// Called around what the fake does of its own, beginning and end: it allocates where an adapter does not.
  void (*outside)(bool begins) noexcept = nullptr;

  /// Objects of every kind that exist. 0 once all nodes are closed.
  [[nodiscard]] std::size_t alive() const noexcept { return alive_; }
  [[nodiscard]] std::size_t connections() const noexcept;
  std::function<void(ibv_send_wr const&, std::span<std::byte const>)> on_message;  ///< each message as it arrives
  std::function<void(ibv_send_wr const&, std::size_t)> on_posted;  ///< each request, and how many stand before it
  std::function<void(ibv_send_wr const&)> on_remote;  ///< each WRITE, READ and atomic as it has been carried out
  std::function<void(std::vector<std::byte>&)> on_private_data;  ///< of requests, replies and rejections; it may change them
  /// The GIDs of every port: each address has one of each type of RoCE unless a test changes that.
  std::function<void(std::vector<ibv_gid_entry>&)> on_gids;
  int gid_index = 2;  ///< that connections use
  std::uint32_t vendor_error = 0x81;  ///< of completions that failed
  std::function<void(std::size_t)> on_registered;  ///< so many bytes
  /// Called by whoever calls register_memory(), at its beginning and its end. Between them nobody else may call the fake, which is for one
  /// thread; before the beginning returns everybody may.
  std::function<void(bool begins)> around_registration;
  /// Connections that the rules ended: a message found no receive, or the accepting end spoke first.
  std::uint64_t unreceived = 0, spoke_first = 0;
  /// Regions that were deregistered while a request still used them.
  std::uint64_t pulled_away = 0;
  /// Windows that were bound to a queue pair when it ended: soft-RoCE would keep the pair.
  std::uint64_t left_bound = 0;
  /// Events of completion queues that were taken, and how often somebody looked for one and there was none.
  std::uint64_t queue_events = 0, fruitless_reads = 0;
  std::vector<std::uint8_t> receiver_waits;  ///< codes, one of each end that set it

  ibv_node_type const node_type;
  fake_rules rules;            ///< to be changed before there is a node
  ibv_device_attr attributes;  ///< likewise; what is made on a device keeps to it

 private:
  friend class fake_api;
  friend struct fake_access;

  [[nodiscard]] bool fails() noexcept;
  [[nodiscard]] int refused(std::string_view call) const;
  [[nodiscard]] bool may_arrive(fake_pair const& to) const noexcept;
  void announce(fake_queue& to);
  [[nodiscard]] fake_api* api_of(address const& of) const;
  [[nodiscard]] bool is_cut(fake_id const& one) const;
  [[nodiscard]] bool is_held(fake_pair const& one) const;
  [[nodiscard]] int refusal_of(fake_pair const& by, ibv_send_wr const& request) const noexcept;
  [[nodiscard]] bool uses(ibv_mr const& region) const noexcept;
  void run();
  [[nodiscard]] fake_pair* opposite(fake_pair const& from) const noexcept;
  [[nodiscard]] bool carry_out(fake_pair& from);
  [[nodiscard]] bool carry_out(fake_pair& from, fake_send& sent);
  [[nodiscard]] bool carry_out_here(fake_pair& from, fake_send& sent);
  [[nodiscard]] bool answer_late(fake_pair& from);
  [[nodiscard]] bool deliver(fake_pair& from, fake_pair& to, fake_send& sent);
  void take(fake_pair& from, fake_pair& to, fake_send& sent, std::span<std::byte const> bytes);
  void access(fake_pair& from, fake_pair& to, fake_send& sent);
  void write(fake_pair& from, fake_pair& to, fake_send& sent);
  void read(fake_pair& from, fake_pair& to, fake_send& sent);
  void change(fake_pair& from, fake_pair& to, fake_send& sent);
  void refuse_access(fake_pair& from, fake_pair& to, fake_send& sent);
  void carried_out(fake_pair& of, fake_send& sent);
  [[nodiscard]] bool breaks_rules(fake_pair const& from, fake_pair const& to, bool message);
  [[nodiscard]] std::vector<std::byte> as_told(std::span<std::byte const> told, std::size_t room);
  void complete(fake_pair& of, fake_send const& sent, ibv_wc_status status);
  void complete(fake_pair& of, fake_receive const& received, ibv_wc_status status, std::size_t bytes = 0, fake_send const* sent = nullptr);
  void complete(fake_queue& to, ibv_wc const& made, bool solicited);
  void fail_pair(fake_pair& pair, ibv_wc_status first, fake_send const* at = nullptr);
  void flush(fake_pair& pair, ibv_wc_status first, fake_send const* at);
  void tell(fake_id& id, verbs::cm_event::kind what, std::span<std::byte const> told = {}, int status = 0);
  void disconnect(fake_id& id);

  std::map<endpoint, fake_id*> listeners_;
  std::vector<fake_id*> ids_;
  std::set<std::pair<address, address>> cuts_;
  std::set<address> held_;
  fake_memory memory_;
  std::vector<fake_api*> apis_;
  std::vector<std::pair<fake_api*, verbs::device_event>> told_;
  fake_queue const* arming_ = nullptr;
  std::uint64_t fail_in_ = 0;
  std::uint64_t fail_poll_in_ = 0;
  std::uint64_t calls_ = 0;
  std::size_t alive_ = 0;
  std::uint16_t last_port_ = 1024;
  std::uint32_t last_pair_ = 0;
  bool running_ = false;
};

}  // namespace rdsco::test
