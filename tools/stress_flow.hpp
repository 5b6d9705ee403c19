// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "tools/event.hpp"
#include "tools/percentiles.hpp"
#include "tools/stress_check.hpp"
#include "tools/stress_control.hpp"
#include "tools/stress_memory.hpp"

#include <rdsco/message.hpp>
#include <rdsco/socket.hpp>
#include <rdsco/task.hpp>
#include <rdsco/task_group.hpp>

#include <array>
#include <chrono>
#include <deque>
#include <memory>
#include <vector>

namespace rdsco::tools {

/// What has gone through so far.
struct stress_traffic {
  std::uint64_t requests_sent = 0, requests_received = 0;
  std::uint64_t bytes = 0;                ///< both directions, acknowledgements included
  std::uint64_t rdma_in = 0, rdma_out = 0;  ///< bytes that this end read from the other's memory, and wrote there
  std::uint64_t sends = 0, send_ns = 0;   ///< how long a send took to be accepted
  std::uint64_t trips = 0, trip_ns = 0;   ///< from a request to its acknowledgement
};

/// What all tasks of one end share. Threads: one loop's.
struct stress_run {
  stress_parameters parameters;
  bool asks = true;              ///< requests are made
  bool checks_payload = true;
  stress_filling filling = stress_filling::by_place;
  stress_traffic traffic;
  percentiles trips;
  stress_faults strays;          ///< faults that belong to no flow
  std::uint64_t unanswered = 0;  ///< requests under way
  std::uint64_t owed = 0;        ///< acknowledgements not sent yet
  event heard;                   ///< the other end's first datagram has come
  event settled;                 ///< nothing is unanswered
  event failed;
  std::error_code failure;

  stress_run() = default;
  void settle_if_empty() noexcept {
    if (unanswered == 0) settled.raise();
  }
};

/// Datagrams between one task of this end and one of the other.
class stress_flow {
 public:
  stress_flow(stress_run& run, socket& own, endpoint const& peer);

  /// Sends requests and acknowledgements until it is canceled; what answers with RDMA is spawned in `group`.
  [[nodiscard]] task<> write(task_group& group);
  void take(message const& got) noexcept;
  [[nodiscard]] stress_faults const& faults() const noexcept { return check_.faults(); }

 private:
  using clock = std::chrono::steady_clock;
  struct question {
    bool open = false;
    clock::time_point asked;
  };

  /// A request to be answered.
  struct debt {
    std::uint16_t index = 0;
    std::uint64_t nth = 0;  // of the flow
    stress_header request;
    std::optional<remote_memory> offered;
    debt() = default;
  };

  /// As it is sent.
  struct datagram {
    stress_header header;
    stress_header::wire bytes{};
    std::array<const_buffer, 2> parts;

    datagram() = default;
    [[nodiscard]] const_buffers whole() const noexcept { return const_buffers(std::span<const_buffer const>(parts)); }
  };

  /// What answers one request at a time. With RDMA there are as many as the depth: a request is not held up by the operations of others.
  struct replier {
    std::uint16_t which = 0;
    debt of;
    datagram answer;
    event wake;
    replier() = default;
  };

  [[nodiscard]] bool may_ask() const noexcept { return run_.asks && !questions_[next_question_].open; }
  void number(datagram& made, stress_kind kind, std::uint16_t index) noexcept;
  void note_question() noexcept;
  [[nodiscard]] task<> reply_always(replier& by);
  [[nodiscard]] task<std::error_code> open_memory(task_group& group);
  [[nodiscard]] task<std::error_code> room();
  [[nodiscard]] task<std::error_code> ask();
  [[nodiscard]] task<std::error_code> ask_with_rdma();
  [[nodiscard]] task<std::error_code> reply(replier& by);
  [[nodiscard]] task<std::error_code> reply_with_rdma(replier& by);
  void fail(std::error_code why) noexcept;
  void sent(datagram const& one, clock::time_point start) noexcept;
  void take_request(stress_header const& header, message const& got) noexcept;
  void take_acknowledgement(stress_header const& header) noexcept;

  stress_run& run_;
  socket& own_;
  endpoint peer_;
  stress_check check_;
  stress_header next_;               // numbers are in the order of acceptance
  datagram request_;
  std::vector<question> questions_;  // by index
  std::uint16_t next_question_ = 0;
  std::deque<debt> owed_;            // requests that nobody has begun to acknowledge, at most as many as the depth
  std::deque<replier> repliers_;
  std::vector<replier*> idle_;
  stress_memory memory_;
  std::uint64_t asked_ = 0, heard_ = 0;  // requests
  event wake_;
};

/// A task: one socket, and a flow with each task of the other end.
class stress_task {
 public:
  stress_task(stress_run& run, socket own, address const& peer);

  void start(task_group& group);
  [[nodiscard]] stress_faults faults() const noexcept;

 private:
  task<> read();

  stress_run& run_;
  socket own_;
  address peer_;
  std::vector<std::unique_ptr<stress_flow>> flows_;
};

}  // namespace rdsco::tools
