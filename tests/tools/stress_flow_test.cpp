// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a stress test that overlooks what its other end does wrong, with its datagrams or with its memory.
// Forced by: an end on a node of its own that answers wrongly, in every way there is, over a real connection.
#include "support/nodes.hpp"

#include "tools/stress_flow.hpp"

#include <rdsco/sleep.hpp>

#include <functional>

namespace {

using namespace rdsco;
using namespace rdsco::test;
using namespace rdsco::tools;

constexpr std::uint16_t port = 4001;
constexpr std::size_t request_bytes = 500;

/// The other end, played by hand.
class counterpart {
 public:
  counterpart(socket& own, endpoint const& peer, stress_filling filling)
      : own_(own), next_(own.local(), peer), peer_(peer), filling_(filling) {}

  task<stress_header> take_request() {
    auto got = co_await with_timeout(patience, own_.receive());
    REQUIRE(!got.ec);
    REQUIRE(got.data.size() == request_bytes);
    stress_header::wire first{};
    got.data.copy_to(mutable_buffer(first));
    co_return stress_header::decode(first);
  }

  /// Sends the next datagram, after `spoil` has had its way with header and bytes.
  template <class Spoil>
  task<> say(stress_kind kind, std::uint16_t index, Spoil const& spoil) {
    next_.kind = kind;
    next_.index = index;
    auto const size = kind == stress_kind::request ? request_bytes : stress_header::bytes;
    auto const payload = stress_payload(next_, size - stress_header::bytes, filling_);
    std::vector<std::byte> body(payload.begin(), payload.end());
    stress_header header = next_;
    spoil(header, body);
    auto const head = header.encode(filling_);
    body.insert(body.begin(), head.begin(), head.end());
    auto const sent = co_await own_.send_to(body, peer_, until::acknowledged);
    REQUIRE(!sent.ec);
    next_.number = header.number + 1;
  }

  [[nodiscard]] stress_header& next() noexcept { return next_; }

 private:
  socket& own_;
  stress_header next_;
  endpoint peer_;
  stress_filling filling_;
};

void as_is(stress_header&, std::vector<std::byte>&) {}

/// What a task finds when `misbehave` has played the other end, after one good answer.
stress_faults faults_after(std::function<task<>(counterpart&)> misbehave, stress_filling filling = stress_filling::by_place) {
  loop where;
  node ours = open(where, on_tcp("127.0.0.1")), theirs = open(where, on_tcp("127.0.0.2"));
  stress_run run;
  run.parameters.starting_port = port - 1;
  run.parameters.request_bytes = request_bytes;
  run.parameters.depth = 2;
  run.filling = filling;
  socket other = bound(theirs, "127.0.0.2", port);
  stress_task tested(run, bound(ours, "127.0.0.1", port), at("127.0.0.2"));
  auto const play = [&]() -> task<> {
    task_group group(where);
    tested.start(group);
    counterpart end(other, to("127.0.0.1", port), filling);
    auto const asked = co_await end.take_request();
    REQUIRE(asked.number == 0);
    co_await end.say(stress_kind::acknowledgement, asked.index, as_is);
    co_await misbehave(end);
    group.stop();
    co_await group.join();
    co_await ours.close();
    co_await theirs.close();
  };
  block_on(where, play());
  REQUIRE(run.traffic.trips >= 1);
  stress_faults all = run.strays;
  all.add(tested.faults());
  return all;
}

void use_rdma(stress_run& made, std::uint8_t mode) {
  made.parameters.starting_port = port - 1;
  made.parameters.request_bytes = request_bytes;
  made.parameters.depth = 3;
  made.parameters.rdma_bytes = 5000;
  made.parameters.rdma_vector = 3;
  made.parameters.rdma_mode = mode;
  made.filling = stress_filling::by_name;
}

node two_with_memory(loop& where) {
  node_options told;
  told.own<loopback>(at("127.0.0.1")).own<loopback>(at("127.0.0.2")).allow(net("127.0.0.0/8"));
  return open(where, told);
}

}  // namespace

TEST_CASE("with RDMA each request has its memory read or written, every byte of it") {
  for (std::uint8_t mode = 0; mode <= 2; ++mode) {
    loop where;
    node on = two_with_memory(where);
    stress_run near, far;
    use_rdma(near, mode);
    use_rdma(far, mode);
    stress_task one(near, bound(on, "127.0.0.1", port), at("127.0.0.2")), other(far, bound(on, "127.0.0.2", port), at("127.0.0.1"));
    auto const play = [&]() -> task<> {
      task_group group(where);
      one.start(group);
      other.start(group);
      while (!near.failure && !far.failure && (near.traffic.trips < 20 || far.traffic.trips < 20)) co_await yield();
      group.stop();
      co_await group.join();
    };
    block_on(where, play());
    for (stress_run const* each : {&near, &far}) {
      INFO(each->failure.message());
      REQUIRE(!each->failure);
      REQUIRE(!each->strays.any());
      REQUIRE((each->traffic.rdma_in != 0) == (mode != 2));
      REQUIRE((each->traffic.rdma_out != 0) == (mode != 1));
    }
    REQUIRE(!one.faults().any());
    REQUIRE(!other.faults().any());
  }
}

TEST_CASE("an acknowledgement without its RDMA is a fault") {
  loop where;
  node on = two_with_memory(where);
  stress_run run;
  use_rdma(run, 2);
  socket other = bound(on, "127.0.0.2", port);
  stress_task tested(run, bound(on, "127.0.0.1", port), at("127.0.0.2"));
  auto const play = [&]() -> task<> {
    task_group group(where);
    tested.start(group);
    counterpart end(other, to("127.0.0.1", port), run.filling);
    auto const asked = co_await end.take_request();
    co_await end.say(stress_kind::acknowledgement, asked.index, as_is);
    while (run.traffic.trips == 0) co_await yield();
    group.stop();
    co_await group.join();
  };
  block_on(where, play());
  REQUIRE(run.strays.corrupted == 1);
}

TEST_CASE("where there is no remote memory, that is said") {
  loop where;
  node ours = open(where, on_tcp("127.0.0.1"));
  stress_run run;
  use_rdma(run, 0);
  stress_task tested(run, bound(ours, "127.0.0.1", port), at("127.0.0.2"));
  auto const play = [&]() -> task<> {
    task_group group(where);
    tested.start(group);
    static_cast<void>(co_await run.failed.wait());
    group.stop();
    co_await group.join();
  };
  block_on(where, play());
  REQUIRE(run.failure == errc::not_supported);
}

TEST_CASE("an end that does everything right has no faults") {
  auto const well = [](counterpart& end) -> task<> {
    co_await end.say(stress_kind::request, 0, as_is);
    co_await end.say(stress_kind::request, 1, as_is);
  };
  auto const faults = faults_after(well);
  REQUIRE(!faults.any());
}

TEST_CASE("between two rdsco ends datagrams have a filling of their own") {
  auto const well = [](counterpart& end) -> task<> { co_await end.say(stress_kind::request, 0, as_is); };
  REQUIRE(!faults_after(well, stress_filling::by_name).any());
  auto const mixed_up = [](counterpart& end) -> task<> {
    auto const spoil = [](stress_header& header, std::vector<std::byte>&) { header.index = 1; };  // the bytes of index 0
    co_await end.say(stress_kind::request, 0, spoil);
  };
  REQUIRE(faults_after(mixed_up, stress_filling::by_name).corrupted == 1);
  REQUIRE(!faults_after(mixed_up).any());
}

TEST_CASE("a number that is left out is a loss") {
  auto const skip = [](counterpart& end) -> task<> {
    end.next().number += 2;
    co_await end.say(stress_kind::request, 0, as_is);
  };
  REQUIRE(faults_after(skip).lost == 2);
}

TEST_CASE("a datagram that comes twice is a duplicate, one that comes late is reordered") {
  auto const again = [](counterpart& end) -> task<> {
    co_await end.say(stress_kind::request, 0, as_is);
    --end.next().number;
    co_await end.say(stress_kind::request, 0, as_is);
  };
  REQUIRE(faults_after(again).duplicated == 1);
  auto const late = [](counterpart& end) -> task<> {
    ++end.next().number;
    co_await end.say(stress_kind::request, 1, as_is);
    end.next().number -= 2;
    co_await end.say(stress_kind::request, 0, as_is);
  };
  auto const faults = faults_after(late);
  REQUIRE(faults.reordered == 1);
  REQUIRE(faults.lost == 0);
}

TEST_CASE("one flipped bit, a byte too many, or no known kind is corruption") {
  auto const flip = [](counterpart& end) -> task<> {
    auto const spoil = [](stress_header&, std::vector<std::byte>& body) { body[400] ^= std::byte{1}; };
    co_await end.say(stress_kind::request, 0, spoil);
  };
  REQUIRE(faults_after(flip).corrupted == 1);
  auto const longer = [](counterpart& end) -> task<> {
    auto const spoil = [](stress_header&, std::vector<std::byte>& body) { body.emplace_back(); };
    co_await end.say(stress_kind::request, 0, spoil);
  };
  REQUIRE(faults_after(longer).corrupted == 1);
  auto const strange = [](counterpart& end) -> task<> {
    auto const spoil = [](stress_header& header, std::vector<std::byte>&) { header.kind = stress_kind{9}; };
    co_await end.say(stress_kind::request, 0, spoil);
  };
  REQUIRE(faults_after(strange).corrupted == 1);
}

TEST_CASE("a datagram for another task, and answers to no question, are misdelivered") {
  auto const astray = [](counterpart& end) -> task<> {
    auto const spoil = [](stress_header& header, std::vector<std::byte>&) { ++header.to_port; };
    co_await end.say(stress_kind::request, 0, spoil);
  };
  REQUIRE(faults_after(astray).misdelivered == 1);
  auto const unasked = [](counterpart& end) -> task<> { co_await end.say(stress_kind::acknowledgement, 9, as_is); };
  REQUIRE(faults_after(unasked).misdelivered == 1);
}
