// SPDX-License-Identifier: BSD-2-Clause
#include "tools/stress_flow.hpp"

namespace rdsco::tools {

namespace {

std::uint64_t nanoseconds(std::chrono::steady_clock::duration length) noexcept {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(length).count());
}

}  // namespace

stress_flow::stress_flow(stress_run& run, socket& own, endpoint const& peer)
    : run_(run), own_(own), peer_(peer), check_(peer, own.local()), next_(own.local(), peer), questions_(run.parameters.depth),
      memory_(run.parameters, own, peer.host) {}

void stress_flow::name_next() noexcept {
  bool const answers = !owed_.empty();
  next_.kind = answers ? stress_kind::acknowledgement : stress_kind::request;
  next_.index = answers ? owed_.front().index : next_question_;
}

void stress_flow::prepare() noexcept {
  bool const answers = next_.kind == stress_kind::acknowledgement;
  header_ = next_.encode(run_.filling);
  auto const bytes = answers ? run_.parameters.acknowledgement_bytes : run_.parameters.request_bytes;
  parts_ = {const_buffer(header_), stress_payload(next_, bytes - stress_header::bytes, run_.filling)};
  if (answers) {
    answered_ = owed_.front();
    return owed_.pop_front();
  }
  // Noted before the send: the answer may be here before the send's coroutine goes on.
  auto& asked = questions_[next_question_];
  asked.open = true;
  asked.asked = clock::now();
  ++run_.unanswered;
  next_question_ = static_cast<std::uint16_t>((next_question_ + 1) % questions_.size());
}

void stress_flow::sent(clock::duration took) noexcept {
  auto& traffic = run_.traffic;
  ++next_.number;
  ++traffic.sends;
  traffic.send_ns += nanoseconds(took);
  traffic.bytes += parts_[0].size() + parts_[1].size();
  if (next_.kind == stress_kind::request) {
    ++traffic.requests_sent;
  } else {
    --run_.owed;
    run_.settle_if_empty();
  }
}

/// Memory is offered with a request, and worked on before its acknowledgement.
task<std::error_code> stress_flow::send_with_rdma() {
  const_buffers const datagram(std::span<const_buffer const>{parts_});
  if (next_.kind == stress_kind::request) {
    auto const sent = co_await own_.send_to(datagram, peer_, memory_.offered(next_.index));
    co_return sent.ec;
  }
  auto const worked = co_await memory_.work_on(*answered_.offered, answered_.nth, next_, datagram);
  if (!worked.ec && !memory_.right(answered_.nth, answered_.request)) ++run_.strays.corrupted;
  run_.traffic.rdma_in += std::exchange(memory_.bytes_in, 0u);
  run_.traffic.rdma_out += std::exchange(memory_.bytes_out, 0u);
  co_return worked.ec;
}

task<std::error_code> stress_flow::send_next() {
  name_next();
  bool const asks = next_.kind == stress_kind::request;
  if (memory_.used() && asks) {
    auto const offered = co_await memory_.offer(next_.index, asked_++, next_);
    if (offered.ec) co_return offered.ec;
  }
  prepare();
  if (memory_.used() && (asks || answered_.offered)) co_return co_await send_with_rdma();
  auto const accepted = co_await own_.send_to(const_buffers(std::span<const_buffer const>(parts_)), peer_);
  co_return accepted.ec;
}

task<> stress_flow::write() {
  if (memory_.used()) {
    auto const opened = co_await memory_.open();
    if (opened.ec) {
      run_.failure = opened.ec;
      run_.failed.raise();
      co_return;
    }
  }
  for (;;) {
    if (owed_.empty() && !may_ask()) {
      if (!co_await wake_.wait()) co_return;
      continue;
    }
    auto const start = clock::now();
    auto const why = co_await send_next();
    if (why) {
      if (why != errc::canceled) run_.failure = why;
      run_.failed.raise();
      co_return;
    }
    sent(clock::now() - start);
  }
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
  for (auto& each : flows_) group.spawn(each->write());
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
