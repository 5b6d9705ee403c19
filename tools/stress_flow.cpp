// SPDX-License-Identifier: BSD-2-Clause
#include "tools/stress_flow.hpp"

#include <coroutine>
#include <utility>

namespace rdsco::tools {

namespace {

std::uint64_t nanoseconds(std::chrono::steady_clock::duration length) noexcept {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(length).count());
}

/// Waits until a send would be accepted. True: it did not have to wait, so nobody came in between.
class room_now {
 public:
  room_now(socket& own, endpoint const& peer) noexcept : room_(own.writable(peer)) {}
  bool await_ready() noexcept { return at_once_ = room_.await_ready(); }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> waiting) noexcept {
    return room_.await_suspend(waiting);
  }
  result<bool> await_resume() noexcept { return {room_.await_resume().ec, at_once_}; }

 private:
  writable_awaiter room_;
  bool at_once_ = false;
};

}  // namespace

stress_flow::stress_flow(stress_run& run, socket& own, endpoint const& peer)
    : run_(run), own_(own), peer_(peer), check_(peer, own.local()), next_(own.local(), peer), questions_(run.parameters.depth),
      repliers_(run.parameters.rdma_bytes == 0 ? 1 : run.parameters.depth), memory_(run.parameters, own, peer.host) {
  std::uint16_t which = 0;
  for (replier& each : repliers_) each.which = which++;
  idle_.reserve(repliers_.size());
}

void stress_flow::number(datagram& made, stress_kind kind, std::uint16_t index) noexcept {
  next_.kind = kind;
  next_.index = index;
  made.header = next_;
  ++next_.number;
  made.bytes = made.header.encode(run_.filling);
  bool const answers = kind == stress_kind::acknowledgement;
  auto const bytes = answers ? run_.parameters.acknowledgement_bytes : run_.parameters.request_bytes;
  made.parts = {const_buffer(made.bytes), stress_payload(made.header, bytes - stress_header::bytes, run_.filling)};
}

// Before the send: the answer may be here before the send's coroutine goes on.
void stress_flow::note_question() noexcept {
  auto& asked = questions_[next_question_];
  asked.open = true;
  asked.asked = clock::now();
  ++run_.unanswered;
  next_question_ = static_cast<std::uint16_t>((next_question_ + 1) % questions_.size());
}

void stress_flow::fail(std::error_code why) noexcept {
  if (why != errc::canceled) run_.failure = why;
  run_.failed.raise();
}

void stress_flow::sent(datagram const& one, clock::time_point start) noexcept {
  auto& traffic = run_.traffic;
  ++traffic.sends;
  traffic.send_ns += nanoseconds(clock::now() - start);
  traffic.bytes += one.whole().size();
  if (one.header.kind == stress_kind::request) {
    ++traffic.requests_sent;
  } else {
    --run_.owed;
    run_.settle_if_empty();
  }
}

task<std::error_code> stress_flow::ask() {
  auto const start = clock::now();
  number(request_, stress_kind::request, next_question_);
  note_question();
  auto const accepted = co_await own_.send_to(request_.whole(), peer_);
  if (!accepted.ec) sent(request_, start);
  co_return accepted.ec;
}

task<std::error_code> stress_flow::reply(replier& by) {
  auto const start = clock::now();
  number(by.answer, stress_kind::acknowledgement, owed_.front().index);
  owed_.pop_front();
  auto const accepted = co_await own_.send_to(by.answer.whole(), peer_);
  if (!accepted.ec) sent(by.answer, start);
  co_return accepted.ec;
}

/// With RDMA several coroutines send. Each waits here until what it sends next is accepted at once, and takes its number only then.
task<std::error_code> stress_flow::room() {
  for (;;) {
    auto const found = co_await room_now(own_, peer_);
    if (found.ec || found.data) co_return found.ec;
  }
}

/// Memory is offered with a request, and worked on before its acknowledgement.
task<std::error_code> stress_flow::ask_with_rdma() {
  auto const start = clock::now();
  auto const offered = co_await memory_.offer(next_question_, asked_);
  if (offered.ec) co_return offered.ec;
  auto const why = co_await room();
  // The test may have come to its end meanwhile.
  if (why || !run_.asks) co_return why;
  auto const which = next_question_;
  number(request_, stress_kind::request, which);
  memory_.fill(which, asked_++, request_.header);
  note_question();
  auto const accepted = co_await own_.send_to(request_.whole(), peer_, memory_.offered(which));
  if (!accepted.ec) sent(request_, start);
  co_return accepted.ec;
}

task<std::error_code> stress_flow::reply_with_rdma(replier& by) {
  auto const start = clock::now();
  auto const why = co_await room();
  // Another one may have taken the request meanwhile.
  if (why || owed_.empty()) co_return why;
  by.of = owed_.front();
  owed_.pop_front();
  number(by.answer, stress_kind::acknowledgement, by.of.index);
  result<> worked;
  if (by.of.offered) {
    worked = co_await memory_.work_on(by.which, *by.of.offered, by.of.nth, by.answer.header, by.answer.whole());
    if (!worked.ec && !memory_.right(by.which, by.of.nth, by.of.request)) ++run_.strays.corrupted;
    run_.traffic.rdma_in += std::exchange(memory_.bytes_in, 0u);
    run_.traffic.rdma_out += std::exchange(memory_.bytes_out, 0u);
  } else {
    worked = co_await own_.send_to(by.answer.whole(), peer_);
  }
  if (!worked.ec) sent(by.answer, start);
  co_return worked.ec;
}

task<> stress_flow::reply_always(replier& by) {
  for (;;) {
    if (owed_.empty()) {
      idle_.push_back(&by);
      if (!co_await by.wake.wait()) co_return;
      continue;
    }
    auto const why = co_await reply_with_rdma(by);
    if (why) co_return fail(why);
  }
}

task<std::error_code> stress_flow::open_memory(task_group& group) {
  auto const opened = co_await memory_.open();
  if (opened.ec) co_return opened.ec;
  for (replier& each : repliers_) group.spawn(reply_always(each));
  co_return std::error_code();
}

task<> stress_flow::write(task_group& group) {
  bool const rdma = memory_.used();
  std::error_code why;
  if (rdma) why = co_await open_memory(group);
  while (!why) {
    bool const replies = !rdma && !owed_.empty();
    if (!replies && !may_ask()) {
      if (!co_await wake_.wait()) co_return;
      continue;
    }
    if (replies) {
      why = co_await reply(repliers_.front());
    } else if (rdma) {
      why = co_await ask_with_rdma();
    } else {
      why = co_await ask();
    }
  }
  fail(why);
}

void stress_flow::take(message const& got) noexcept {
  run_.heard.raise();
  run_.traffic.bytes += got.size();
  stress_header::wire first{};
  if (got.copy_to(mutable_buffer(first)) < first.size()) {
    ++run_.strays.corrupted;
    return;
  }
  auto const header = stress_header::decode(first);
  bool const asks = header.kind == stress_kind::request;
  bool const intact = !run_.checks_payload || got.size() > stress_bytes_max || stress_intact(header, got.payload(), run_.filling);
  bool const known = asks || header.kind == stress_kind::acknowledgement;
  std::size_t const wanted = asks ? run_.parameters.request_bytes : run_.parameters.acknowledgement_bytes;
  auto const verdict = check_.take(header, got.size(), known ? wanted : got.size() + 1, intact);
  if (!known || verdict == stress_check::verdict::wrong || verdict == stress_check::verdict::again) return;
  if (asks)
    take_request(header, got);
  else
    take_acknowledgement(header);
  wake_.raise();
}

void stress_flow::take_request(stress_header const& header, message const& got) noexcept {
  ++run_.traffic.requests_received;
  if (owed_.size() >= run_.parameters.depth) {
    ++run_.strays.misdelivered;  // more than it may have under way
    return;
  }
  debt owed;
  owed.index = header.index;
  owed.nth = heard_++;
  owed.request = header;
  owed.offered = got.offered();
  if (memory_.used() && !owed.offered) ++run_.strays.corrupted;  // it came without what it had to bring
  owed_.push_back(owed);
  ++run_.owed;
  if (idle_.empty()) return;
  idle_.back()->wake.raise();
  idle_.pop_back();
}

void stress_flow::take_acknowledgement(stress_header const& header) noexcept {
  if (header.index >= questions_.size() || !questions_[header.index].open) {
    ++run_.strays.misdelivered;
    return;
  }
  auto& asked = questions_[header.index];
  asked.open = false;
  if (memory_.used() && !memory_.take_back(header.index, header)) ++run_.strays.corrupted;
  auto const trip = nanoseconds(clock::now() - asked.asked);
  ++run_.traffic.trips;
  run_.traffic.trip_ns += trip;
  run_.trips.add(trip);
  --run_.unanswered;
  run_.settle_if_empty();
}

stress_task::stress_task(stress_run& run, socket own, address const& peer) : run_(run), own_(std::move(own)), peer_(peer) {
  for (unsigned other = 0; other < run.parameters.tasks; ++other) {
    endpoint const to(peer, static_cast<std::uint16_t>(run.parameters.starting_port + 1 + other));
    flows_.push_back(std::make_unique<stress_flow>(run, own_, to));
  }
}

void stress_task::start(task_group& group) {
  group.spawn(read());
  for (auto& each : flows_) group.spawn(each->write(group));
}

task<> stress_task::read() {
  unsigned const first = run_.parameters.starting_port + 1u;
  for (;;) {
    auto const got = co_await own_.receive();
    if (got.ec) co_return;
    auto const from = got.data.from();
    if (from.host == peer_ && from.port >= first && from.port - first < flows_.size())
      flows_[from.port - first]->take(got.data);
    else
      ++run_.strays.misdelivered;
  }
}

stress_faults stress_task::faults() const noexcept {
  stress_faults all;
  for (auto const& each : flows_) all.add(each->faults());
  return all;
}

}  // namespace rdsco::tools
