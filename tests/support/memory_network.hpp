// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "support/manual_clock.hpp"

#include <rdsco/buffer.hpp>
#include <rdsco/detail/io_backend.hpp>
#include <rdsco/endpoint.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

namespace rdsco::test {

/// One end of a stream, as TCP sees it: bytes wait at the sender until the receiver's buffer has room for them, and are
/// acknowledged when they are in it.
struct stream_end {
  endpoint local, peer;
  std::weak_ptr<stream_end> other;
  std::deque<std::byte> outgoing, incoming;
  std::size_t outgoing_max = 0, incoming_max = 0;
  bool connected = false;
  bool end_wanted = false;      // shutdown_send() or close()
  bool end_delivered = false;
  bool end_of_stream = false;   // the other side has ended, after `incoming`
  bool abort = false;           // closed with a reset
  bool reset = false;           // the other side's reset has arrived
  bool closed = false;          // its owner is gone
  std::uint64_t changes = 0;    // what a watch compares
  std::uint64_t acknowledged = 0;
  std::uint64_t acknowledged_reported = 0;
  bool acknowledgement_events = false;
};

struct listening_end {
  endpoint local;
  std::size_t backlog = 0;
  std::deque<std::shared_ptr<stream_end>> waiting;
  std::uint64_t changes = 0;
};

/// The hosts, cables and TCPs below any number of memory_backends. Everything that happens is decided by the order of calls.
class memory_network {
 public:
  explicit memory_network(manual_clock& clock) noexcept : clock_(clock) {}

  std::size_t buffer_bytes = 64 * 1024;            ///< of each direction at each end, where the tuning does not say
  std::size_t piece_bytes_max = ~std::size_t{0};   ///< no call moves more: partial reads and writes

  /// Whatever two hosts send to each other is lost, resets and ends too, until it is undone: half-open streams.
  void silence(address const& one, address const& other, bool on);
  /// Both ends of every stream between two hosts are reset.
  void reset_streams(address const& one, address const& other);
  [[nodiscard]] std::size_t streams_alive() const noexcept { return streams_.size(); }

  // for backends
  int listen(endpoint local, std::size_t backlog, std::shared_ptr<listening_end>& out);
  void unlisten(listening_end& listener);
  [[nodiscard]] std::shared_ptr<stream_end> open(address const& local, detail::stream_tuning const& tuning);
  /// 0, -ECONNREFUSED, or -EINPROGRESS while nobody answers.
  int connect(std::shared_ptr<stream_end> const& from, endpoint const& to);
  /// Whether connect() would have to wait.
  [[nodiscard]] bool unanswered(stream_end const& from, endpoint const& to) const;
  /// Moves what can be moved from the senders to the receivers.
  void deliver();
  void close(stream_end& end, bool reset);
  [[nodiscard]] manual_clock& clock() noexcept { return clock_; }

 private:
  using pair_of_ends = std::pair<std::shared_ptr<stream_end>, std::shared_ptr<stream_end>>;
  [[nodiscard]] bool silent(address const& one, address const& other) const;
  void deliver(stream_end& from, stream_end& to);
  [[nodiscard]] std::uint16_t free_port(address const& host);

  manual_clock& clock_;
  std::map<endpoint, std::shared_ptr<listening_end>> listeners_;
  std::vector<pair_of_ends> streams_;  // in the order of their connecting
  std::set<std::pair<address, address>> silent_;
  std::map<address, std::uint16_t> last_port_;
};

}  // namespace rdsco::test
