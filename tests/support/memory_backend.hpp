// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "support/memory_network.hpp"

#include <rdsco/detail/io_backend.hpp>
#include <rdsco/loop.hpp>

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace rdsco::test {

/// A backend on a memory_network. Several, each with a loop of its own, share one network and one thread. Operations are
/// looked at in the order in which they were started; nothing depends on addresses or real time.
class memory_backend : public detail::io_backend {
 public:
  explicit memory_backend(memory_network& network) noexcept : network_(network) {}
  ~memory_backend() override;

  int listen(endpoint const& local, int backlog, detail::io_handle& out) noexcept override;
  void accept(detail::io_handle listener, detail::stream_tuning const&, detail::accept_operation& operation) noexcept override;
  int open_stream(address const& local, detail::stream_tuning const& tuning, detail::io_handle& out) noexcept override;
  void connect(detail::io_handle stream, endpoint const& peer, detail::io_operation& operation) noexcept override;
  std::ptrdiff_t try_send(detail::io_handle stream, std::span<const_buffer const> from) noexcept override;
  void send(detail::io_handle stream, detail::send_operation& operation) noexcept override;
  std::ptrdiff_t try_receive(detail::io_handle stream, std::span<mutable_buffer const> into) noexcept override;
  void receive(detail::io_handle stream, detail::receive_operation& operation) noexcept override;
  void release_received(detail::receive_operation& operation) noexcept override;
  void wait_ready(detail::io_handle handle, detail::readiness what, detail::io_operation& operation) noexcept override;
  void watch(detail::io_handle handle, detail::readiness what, detail::watch_operation& operation) noexcept override;
  std::size_t unread(detail::io_handle stream) noexcept override;
  std::optional<std::size_t> unacknowledged(detail::io_handle stream) noexcept override;
  bool enable_acknowledgement_events(detail::io_handle stream) noexcept override;
  std::optional<std::uint64_t> next_acknowledgement(detail::io_handle stream) noexcept override;
  std::pair<endpoint, endpoint> ends(detail::io_handle handle) noexcept override;
  int shutdown_send(detail::io_handle stream) noexcept override;
  void close(detail::io_handle handle, bool reset) noexcept override;
  detail::io_handle adopt(int) noexcept override { return {}; }
  void cancel(detail::io_operation& operation) noexcept override;

  [[nodiscard]] bool has_submissions() const noexcept override { return false; }
  bool poll_completions() noexcept override;
  /// Nobody else runs while this thread waits: the clock goes to the end of the wait at once. A wait that nothing can end
  /// is an error of the test and aborts.
  void wait(std::optional<duration> timeout) noexcept override;
  void wake() noexcept override { woken_.store(true); }
  int wait_fd() noexcept override { return -1; }
  void arm_wait_fd(std::optional<time_point>, time_point, bool) noexcept override {}
  [[nodiscard]] bool can_spin() const noexcept override { return false; }
  [[nodiscard]] std::size_t operations_in_flight() const noexcept override { return pending_.size(); }
  [[nodiscard]] detail::backend_counters const& counters() const noexcept override { return counters_; }

  std::size_t lent_max = 64;  ///< receives into lent memory wait when so many are out

 private:
  enum class kind { accept, connect, send, receive, ready, watch };
  struct pending {
    detail::io_operation* operation;
    kind what;
    std::intptr_t handle;
    detail::readiness wanted;
    endpoint peer;
    std::uint64_t changes_seen;
    bool cancelled;
    std::uint32_t number;
  };

  void start(detail::io_operation& operation, kind what, detail::io_handle handle,
             detail::readiness wanted = detail::readiness::readable, endpoint const& peer = {}) noexcept;
  /// The result of a pending operation, if it has one.
  [[nodiscard]] std::optional<std::int32_t> attempt(pending& one) noexcept;
  [[nodiscard]] std::optional<std::int32_t> attempt_accept(pending& one) noexcept;
  [[nodiscard]] std::optional<std::int32_t> attempt_receive(pending& one) noexcept;
  [[nodiscard]] std::optional<std::int32_t> attempt_ready(pending& one) noexcept;
  [[nodiscard]] detail::readiness readiness_of(std::intptr_t handle) const noexcept;
  [[nodiscard]] std::uint64_t changes_of(std::intptr_t handle) const noexcept;
  [[nodiscard]] bool could_complete() noexcept;
  [[nodiscard]] stream_end& stream(detail::io_handle handle) noexcept;
  [[nodiscard]] detail::io_handle own(std::shared_ptr<stream_end> end) noexcept;

  memory_network& network_;
  std::map<std::intptr_t, std::shared_ptr<stream_end>> streams_;
  std::map<std::intptr_t, std::shared_ptr<listening_end>> listeners_;
  std::map<std::uint32_t, std::vector<std::byte>> lent_;
  std::vector<pending> pending_;
  std::intptr_t last_handle_ = 0;
  std::uint32_t last_number_ = 0;
  std::uint32_t last_lent_ = 0;
  std::atomic<bool> woken_{false};
  detail::backend_counters counters_;
};

/// The seams of a loop on `network`.
[[nodiscard]] detail::seams memory_seams(memory_network& network);

/// Runs loops of one network until `done()`: each as long as it has something to do, then time goes to the nearest
/// deadline. False when `done` is false and nothing can happen any more.
template <class Done>
bool run_together(memory_network& network, std::span<loop* const> loops, Done done) {
  auto const progress = [&] {
    std::uint64_t total = 0;
    for (loop* each : loops) total += each->poll() + each->io().counters().completions;
    return total;
  };
  std::uint64_t completions = 0;
  for (;;) {
    if (done()) return true;
    std::uint64_t const total = progress();
    bool const moved = total != completions;
    completions = 0;
    for (loop* each : loops) completions += each->io().counters().completions;
    if (moved) continue;
    std::optional<time_point> nearest;
    for (loop* each : loops)
      if (auto const deadline = each->next_deadline(); deadline && (!nearest || *deadline < *nearest)) nearest = deadline;
    if (!nearest) return done();
    network.clock().advance_to(*nearest);
  }
}

}  // namespace rdsco::test
