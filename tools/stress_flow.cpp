// SPDX-License-Identifier: BSD-2-Clause
#include "tools/stress_flow.hpp"

namespace rdsco::tools {

namespace {

std::uint64_t nanoseconds(std::chrono::steady_clock::duration length) noexcept {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(length).count());
}

}  // namespace

stress_flow::stress_flow(stress_run& run, socket& own, endpoint const& peer)
    : run_(run), own_(own), peer_(peer), check_(peer, own.local()), next_(own.local(), peer), questions_(run.parameters.depth) {}

void stress_flow::prepare() noexcept {
  bool const answers = !owed_.empty();
  next_.kind = answers ? stress_kind::acknowledgement : stress_kind::request;
  next_.index = answers ? owed_.front() : next_question_;
  header_ = next_.encode(run_.filling);
  auto const bytes = answers ? run_.parameters.acknowledgement_bytes : run_.parameters.request_bytes;
  parts_ = {const_buffer(header_), stress_payload(next_, bytes - stress_header::bytes, run_.filling)};
  if (answers) return owed_.pop_front();
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

task<> stress_flow::write() {
  for (;;) {
    if (owed_.empty() && !may_ask()) {
      if (!co_await wake_.wait()) co_return;
      continue;
    }
    prepare();
    auto const start = clock::now();
    auto const accepted = co_await own_.send_to(const_buffers(std::span<const_buffer const>(parts_)), peer_);
    if (accepted.ec) {
      if (accepted.ec != errc::canceled) run_.failure = accepted.ec;
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
    take_request(header);
  else
    take_acknowledgement(header);
  wake_.raise();
}

void stress_flow::take_request(stress_header const& header) noexcept {
  ++run_.traffic.requests_received;
  if (owed_.size() >= run_.parameters.depth) {
    ++run_.strays.misdelivered;  // more than it may have under way
    return;
  }
  owed_.push_back(header.index);
  ++run_.owed;
}

void stress_flow::take_acknowledgement(stress_header const& header) noexcept {
  if (header.index >= questions_.size() || !questions_[header.index].open) {
    ++run_.strays.misdelivered;
    return;
  }
  auto& asked = questions_[header.index];
  asked.open = false;
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
