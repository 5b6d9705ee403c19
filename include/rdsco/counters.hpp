// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>

namespace rdsco {

// The kernel's names, verbatim and in its order: scripts parse them. Those that only a kernel can count are left out.
#define RDSCO_KERNEL_COUNTERS(each) \
  each(conn_reset) each(recv_drop_bad_checksum) each(recv_drop_old_seq) each(recv_drop_no_sock) \
  each(recv_drop_dead_sock) each(recv_delivered) each(recv_queued) each(recv_ack_required) each(recv_ping) \
  each(send_queue_empty) each(send_queue_full) each(send_ack_required) each(send_queued) each(send_pong) \
  each(copy_to_user) each(copy_from_user) each(cong_update_queued) each(cong_update_received) \
  each(cong_send_error) each(cong_send_blocked) each(recv_bytes_added_to_sock) each(recv_bytes_freed_fromsock) \
  each(tcp_data_ready_calls) each(tcp_write_space_calls) each(tcp_sndbuf_full) each(tcp_connect_raced)

// Our own: what rdsco refuses, bounds or decides where the kernel does not.
#define RDSCO_OWN_COUNTERS(each) \
  each(rdsco_accept_refused_peer) each(rdsco_accept_refused_order) each(rdsco_accept_refused_limit) \
  each(rdsco_connection_replaced) each(rdsco_kick_sent) each(rdsco_drop_bad_frame) each(rdsco_drop_bad_map) \
  each(rdsco_drop_too_large) each(rdsco_drop_pong_limit) each(rdsco_drop_unrequested_pong) \
  each(rdsco_drop_partial_timeout) each(rdsco_drop_memory) each(rdsco_drop_ignored) each(rdsco_reading_stopped) \
  each(rdsco_reading_stopped_share) \
  each(rdsco_peer_restarted) each(rdsco_retransmitted) each(rdsco_retired_by_pong) each(rdsco_retired_by_ack) \
  each(rdsco_retired_by_tcp) each(rdsco_ack_pings_sent) each(rdsco_ack_frames_sent) each(rdsco_ack_future) each(rdsco_pong_overdue) \
  each(rdsco_withdrawn) each(rdsco_tcp_sends) each(rdsco_tcp_receives) each(rdsco_connect_failed) \
  each(rdsco_verbs_setup_failed) each(rdsco_verbs_device_removed) each(rdsco_verbs_device_failed) \
  each(rdsco_verbs_connection_failed) each(rdsco_verbs_port_down) each(rdsco_verbs_port_up) each(rdsco_verbs_port_changed)

/// What a node has counted since it was opened.
struct counters {
#define RDSCO_COUNTER_FIELD(name) std::uint64_t name = 0;
  RDSCO_KERNEL_COUNTERS(RDSCO_COUNTER_FIELD)
  RDSCO_OWN_COUNTERS(RDSCO_COUNTER_FIELD)
#undef RDSCO_COUNTER_FIELD

  /// Calls `each(char const* name, std::uint64_t value)` for every counter.
  template <class F>
  void for_each(F each) const {
#define RDSCO_COUNTER_VISIT(name) each(#name, name);
    RDSCO_KERNEL_COUNTERS(RDSCO_COUNTER_VISIT)
    RDSCO_OWN_COUNTERS(RDSCO_COUNTER_VISIT)
#undef RDSCO_COUNTER_VISIT
  }
};

}  // namespace rdsco
