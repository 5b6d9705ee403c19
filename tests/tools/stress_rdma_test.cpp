// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a stress test with RDMA that asks nothing while it answers, or answers one request at a time, so that one end is hardly
// heard of; numbers that are not in the order of acceptance; memory that an operation under way still uses and the next one gets.
// Forced by: adapters that hold an end's operations back, or answer READs late, and sockets that are full all the time.
#include "tools/stress_flow.hpp"
#include "verbs/remote_nodes.hpp"

#include <functional>
#include <optional>

namespace {

using namespace rdsco;
using namespace rdsco::test;
using namespace rdsco::tools;

constexpr std::uint16_t port = 4001;
constexpr std::uint32_t depth = 4, pieces = 2;
constexpr std::uint8_t only_reads = 1, only_writes = 2;
constexpr unsigned some_turns = 50;
constexpr std::uint64_t enough_trips = 40;

/// Both ends of a stress test, each with one task.
template <class How>
struct two_ends : two_with_memory<How> {
  explicit two_ends(std::uint8_t mode, socket_options const& buffers = {}) : group(this->where) {
    use(near_run, mode);
    use(far_run, mode);
    near_end.emplace(near_run, bound(this->near, "10.0.0.1", port, buffers), at("10.0.0.2"));
    far_end.emplace(far_run, bound(this->far, "10.0.0.2", port, buffers), at("10.0.0.1"));
    this->fabric.on_posted = [this](ibv_send_wr const& one, std::size_t) {
      operations += one.opcode == IBV_WR_RDMA_WRITE || one.opcode == IBV_WR_RDMA_READ;
    };
  }
  static void use(stress_run& made, std::uint8_t mode) {
    made.parameters.starting_port = port - 1;
    made.parameters.depth = depth;
    made.parameters.rdma_bytes = 3000;
    made.parameters.rdma_vector = pieces;
    made.parameters.rdma_mode = mode;
    made.filling = stress_filling::by_name;
  }
  /// The far end has asked, nobody has answered, and nothing that the near end posts is carried out.
  void hold_answers() {
    far_end->start(group);
    this->wait_until([&] { return far_run.traffic.requests_sent == depth; });
    turn(this->where, some_turns);
    this->fabric.hold_sends(at("10.0.0.1"), true);
    operations = 0;
    near_end->start(group);
    turn(this->where, some_turns);
  }
  void release() { this->fabric.hold_sends(at("10.0.0.1"), false); }
  void go_on() {
    time_point const limit = this->where.now() + patience;
    while (near_run.traffic.trips < enough_trips || far_run.traffic.trips < enough_trips) {
      INFO(near_run.failure.message() << ", " << far_run.failure.message());
      REQUIRE((!near_run.failure && !far_run.failure && this->where.now() < limit));
      this->fabric.release_reads();
      static_cast<void>(this->where.poll());
    }
  }
  void stop() {
    group.stop();
    block_on(this->where, joined(group));
    CHECK_FALSE(near_run.strays.any());
    CHECK_FALSE(far_run.strays.any());
    CHECK_FALSE(near_end->faults().any());
    CHECK_FALSE(far_end->faults().any());
  }

  stress_run near_run, far_run;
  std::optional<stress_task> near_end, far_end;
  task_group group;
  std::uint64_t operations = 0;  // posted, one for each piece
};

template <class How>
std::vector<std::uint8_t> modes() {
  // On iWARP nothing is posted behind a READ.
  if (std::is_same_v<typename How::transport, fake_ib>) return {only_reads, only_writes};
  return {only_writes};
}

}  // namespace

// Without windows: an offer is made without the adapter.
TEMPLATE_TEST_CASE("an end whose answers are held up answers others meanwhile, and asks", "", ib_slots, iwarp_slots) {
  for (auto const mode : modes<TestType>()) {
    two_ends<TestType> w(mode);
    w.hold_answers();
    CHECK(w.operations == depth * pieces);
    CHECK(w.near_run.traffic.requests_sent == depth);
    w.release();
    w.go_on();
    w.stop();
  }
}

TEMPLATE_TEST_CASE("an end that is stopped ends when the adapter has let go of all its answers", "", ib_slots, iwarp_slots) {
  for (auto const mode : modes<TestType>()) {
    two_ends<TestType> w(mode);
    w.hold_answers();
    w.group.stop();
    turn(w.where, some_turns);
    CHECK(w.group.size() == depth);
    w.release();
    w.stop();
  }
}

TEMPLATE_TEST_CASE("every byte is right where READs are answered late", "", EVERY_WAY) {
  for (std::uint8_t mode = 0; mode <= only_writes; ++mode) {
    two_ends<TestType> w(mode);
    w.fabric.faults.late_reads = true;
    w.near_end->start(w.group);
    w.far_end->start(w.group);
    w.go_on();
    w.fabric.faults.late_reads = false;
    w.fabric.release_reads();
    w.stop();
  }
}

TEMPLATE_TEST_CASE("numbers are in the order of acceptance where sockets are full", "", EVERY_WAY) {
  socket_options full;
  full.send_buffer = full.receive_buffer = 1100;
  two_ends<TestType> w(0, full);
  w.near_end->start(w.group);
  w.far_end->start(w.group);
  w.go_on();
  CHECK(w.near.counters().send_queue_full != 0);
  w.stop();
}
