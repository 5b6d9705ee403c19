// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "node/event_signal.hpp"
#include "node/intake.hpp"
#include "node/node_core.hpp"
#include "protocol/backoff.hpp"
#include "protocol/fragment.hpp"
#include "transports/verbs/credits.hpp"  // only: can.credits
#include "transports/verbs/fabric.hpp"
#include "transports/verbs/offer_keys.hpp"
#include "transports/verbs/receive_ring.hpp"
#include "transports/verbs/send_ring.hpp"
#include "transports/verbs/verbs_transport.hpp"
#include "verbs/completion_queue.hpp"
#include "verbs/event_channel.hpp"

#include <rdsco/detail/remote_work.hpp>
#include <rdsco/loop.hpp>
#include <rdsco/task.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <type_traits>

namespace rdsco::detail {

/// Carries one path over verbs, one reliable connection after the other. Whoever has something to send connects; when both do at
/// once, the side with the larger address gives its own attempt up.
template <verbs_fabric Fabric>
class verbs_link final : public verbs_carrier, public spinner, public verbs::cm_handler {
 public:
  static constexpr fabric_capabilities can = Fabric::capabilities;
  using keys = offer_keys<Fabric::memory>;
  /// Every header says what the peer owns, so nobody has to be asked who it is.
  static constexpr bool probes = false;

  verbs_link(verbs_transport& owner, connection& by) noexcept;
  ~verbs_link() override;

  // carrier
  void work_queued() noexcept override { signal_.raise(event_work); }
  void map_changed() noexcept override { signal_.raise(event_work); }
  void reading_allowed() noexcept override { signal_.raise(event_completions); }
  void break_off() noexcept override;
  void stop() noexcept override;
  [[nodiscard]] std::error_code trouble() const noexcept override { return trouble_; }
  void describe_ib(ib_row& row) const override;
  [[nodiscard]] bool has_ib_row() const noexcept override { return true; }

  [[nodiscard]] errc open_offer(offer_core& offered) noexcept override;
  void close_offer(offer_core& over) noexcept override;
  [[nodiscard]] errc check_work(remote_work const& work) noexcept override;
  void let_go_of(region_core& region) noexcept override;

  // verbs_carrier
  [[nodiscard]] bool asked(verbs_request const& request) noexcept override;
  [[nodiscard]] bool asking() const noexcept override { return connected_by_us_ && stage_ == stage::connecting; }
  void device_event_arrived(verbs::device const& from, verbs::device_event const& event) noexcept override;
  // verbs::cm_handler
  void cm_event_arrived(verbs::cm_event const& event) noexcept override;

  // path_link
  [[nodiscard]] task<bool> establish();
  [[nodiscard]] bool receive() noexcept;
  [[nodiscard]] bool transmit() noexcept;
  [[nodiscard]] bool answers_expected() noexcept { return intake_.take_delivered() != 0; }
  [[nodiscard]] event_signal& signal() noexcept { return signal_; }
  void note(std::uint32_t) noexcept {}
  [[nodiscard]] task<> tear_down();

  // spinner
  [[nodiscard]] bool expecting() const noexcept override { return true; }
  bool spin() noexcept override;
  void before_wait() noexcept override;

 private:
  static constexpr std::uint32_t event_work = 1;         // something to send
  static constexpr std::uint32_t event_completions = 2;  // the completion queue has something, or reading is allowed again
  static constexpr std::uint32_t event_manager = 4;      // the connection manager said something
  static constexpr std::uint32_t event_asked = 8;      // a peer wants to connect
  static constexpr std::uint32_t event_tick = 16;        // a deadline passed
  static constexpr std::uint32_t event_stop = 32;

  // How far the identifier of the connection has come.
  enum class stage : std::uint8_t { none, resolving_address, resolving_route, connecting, established, ended };

  // connecting (verbs_link_connect.hpp)
  [[nodiscard]] bool wants_connection() const noexcept { return by_.lane.has_unsent(); }
  [[nodiscard]] task<bool> connect_out();
  [[nodiscard]] task<bool> go_through_stages();
  [[nodiscard]] task<bool> accept_request();
  [[nodiscard]] task<bool> stage_is_over(stage current, time_point deadline);
  [[nodiscard]] task<> wait_for_event(std::optional<time_point> until);
  [[nodiscard]] int begin_resolving() noexcept;
  [[nodiscard]] int request_connection() noexcept;
  [[nodiscard]] bool take_request(verbs_request const& request) noexcept;
  [[nodiscard]] int accept_connection(verbs_request const& request) noexcept;
  [[nodiscard]] int make_queue_pair() noexcept;
  void shorten_waits() noexcept;
  [[nodiscard]] bool went_well(int answer) noexcept;
  [[nodiscard]] bool peer_is_heard() noexcept;
  void note_end(verbs::cm_event const& event) noexcept;
  void note_failure(verbs::device_event const& event) noexcept;
  [[nodiscard]] protocol::protocol_version proposal() const noexcept;
  [[nodiscard]] std::span<std::byte const> tell(std::span<std::byte> room) noexcept;
  [[nodiscard]] bool take_reply() noexcept;
  [[nodiscard]] bool take_acknowledgement(verbs_acknowledgement const& earlier) noexcept;
  void adopt() noexcept;
  void refuse_request() noexcept;
  void release() noexcept;
  void schedule_attempt() noexcept { next_attempt_ = loop_.now() + backoff_.next_delay(loop_.random()); }

  // describing (verbs_link_describe.hpp)
  [[nodiscard]] char const* stage_name() const noexcept;

  // receiving (verbs_link_receive.hpp)
  [[nodiscard]] bool take_completions() noexcept;
  void take_remaining() noexcept;
  [[nodiscard]] bool look() noexcept;
  [[nodiscard]] bool take(ibv_wc const& one) noexcept;
  [[nodiscard]] bool take_arrived(std::uint32_t slot, std::uint32_t bytes) noexcept;
  [[nodiscard]] bool take_frame(std::uint32_t slot, std::uint32_t bytes) noexcept;
  [[nodiscard]] bool take_kept_frames() noexcept;
  [[nodiscard]] bool take_early(std::uint32_t slot, std::uint32_t bytes) noexcept;
  [[nodiscard]] bool part_of_message(protocol::fragment_verdict verdict, std::span<std::byte const> payload) noexcept;
  [[nodiscard]] bool post_receives(bool all) noexcept;
  void count_violation(protocol::fragment_verdict verdict) noexcept;
  void stop_asking() noexcept;

  // transmitting (verbs_link_transmit.hpp)
  void fill() noexcept;
  [[nodiscard]] std::uint32_t room() const noexcept;
  [[nodiscard]] bool room_for_acknowledgement() noexcept;
  [[nodiscard]] bool acknowledgement_due(bool time_is_up) const noexcept;
  [[nodiscard]] bool acknowledges_first() const noexcept;
  void finish(protocol::header& head, bool announced, bool fenced = false) noexcept;
  void put_map() noexcept;
  void put_fragments(datagram& from) noexcept;
  void put_acknowledgement() noexcept;

  // remote memory (verbs_link_remote.hpp)
  [[nodiscard]] bool ready_to_send(datagram& head) noexcept;
  [[nodiscard]] bool put_work(datagram& from) noexcept;
  [[nodiscard]] std::uint64_t put_piece(remote_work& work) noexcept;
  void requests_done() noexcept;
  void request_failed(std::uint64_t number, ibv_wc_status status) noexcept;
  void destroy_pair() noexcept;
  void let_go(remote_work& work) noexcept;
  [[nodiscard]] std::uint64_t acknowledgement() const noexcept { return by_.lane.received.last_received().value_or(0); }
  void plan() noexcept;
  void plan_at(time_point when) noexcept;
  static void expired(timer& self) noexcept { static_cast<link_timer&>(self).link.signal_.raise(event_tick); }

  verbs_transport& owner_;
  connection& by_;
  loop& loop_;
  verbs::api& api_;
  event_signal signal_;
  bool const gives_way_;  // ours is the larger address

  rdma_cm_id* id_ = nullptr;
  ibv_qp* pair_ = nullptr;
  verbs::device* device_ = nullptr;  // what there is of the connection is on it
  stage stage_ = stage::none;
  bool connected_by_us_ = false;
  protocol::protocol_version version_;  // proposed, then agreed on
  bool falls_back_ = false;             // the peer refused a newer one
  std::uint16_t asked_life_ = 0;        // of the peer that is being connected to
  std::uint16_t peer_life_ = 0;         // of the peer of the last connection, which sent what was received last
  std::optional<verbs_request> request_;
  std::array<std::byte, 64> reply_{};
  std::size_t reply_bytes_ = 0;
  ring_sizes rings_;
  verbs::completion_queue queue_;
  receive_ring receives_;
  send_ring sends_;
  struct no_credits {};  // only: !can.credits
  [[no_unique_address]] std::conditional_t<can.credits, credits, no_credits> credits_;  // only: can.credits
  struct link_timer : timer {
    explicit link_timer(verbs_link& of) noexcept : timer(&verbs_link::expired), link(of) {}
    verbs_link& link;
  } timer_;

  protocol::backoff backoff_;
  time_point next_attempt_{};
  bool stopping_ = false;
  bool broken_ = false;
  ibv_wc_status failure_ = IBV_WC_SUCCESS;
  std::uint32_t vendor_error_ = 0;  // of the same completion, until a connection is up again
  std::error_code said_;       // by the adapter, of this connection, and why it must end
  bool peer_announced_ = false;  // likewise: a message came
  std::error_code trouble_;

  intake intake_;
  protocol::fragment_assembly assembly_;
  datagram* incoming_ = nullptr;  // the message in progress; null where nobody wants it
  std::array<ibv_wc, 32> completions_{};
  std::size_t found_ = 0;     // of these the adapter has filled in
  std::size_t taken_ = 0;     // and of those, looked at
  bool active_ = false;       // not armed: completions are looked for by asking
  bool heard_ = false;        // the peer has sent something on this connection

  keys keys_;
  intrusive_list<remote_work, by_adapter> working_;  // in the order of their requests

  datagram* sending_ = nullptr;  // some fragments of it are out, or of the operation before it
  protocol::header sending_head_;
  std::uint32_t sent_bytes_ = 0;
  bool work_put_ = true;  // the operation before it is out
  std::uint32_t ends_key_ = 0;  // which it takes from the peer; 0: none
  bool fenced_ = false;   // and brings something back
  std::optional<time_point> acknowledge_by_;
};

}  // namespace rdsco::detail

#include "transports/verbs/verbs_link_connect.hpp"
#include "transports/verbs/verbs_link_describe.hpp"
#include "transports/verbs/verbs_link_receive.hpp"
#include "transports/verbs/verbs_link_remote.hpp"
#include "transports/verbs/verbs_link_transmit.hpp"
