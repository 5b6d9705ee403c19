// SPDX-License-Identifier: BSD-2-Clause
#include "tools/stress_session.hpp"

#include "tools/failure.hpp"
#include "tools/local_node.hpp"

#include <rdsco/sleep.hpp>
#include <rdsco/when_any.hpp>
#include <rdsco/with_timeout.hpp>

#include <fmt/core.h>

#include <algorithm>

#include <unistd.h>

namespace rdsco::tools {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr auto for_ever = std::chrono::hours(24 * 365);
constexpr char const* rdma_between_rdsco = "RDMA (-D) is between two rdsco ends, and the other one is an rds-stress";
// How long rds-stress goes on receiving after it stopped sending.
constexpr auto rds_stress_ends_within = 5s;

double seconds_between(clock::time_point from, clock::time_point to) { return std::chrono::duration<double>(to - from).count(); }

address host_of(std::uint32_t value) {
  auto const byte = [value](int shift) { return static_cast<std::uint8_t>(value >> shift); };
  return address::v4(byte(24), byte(16), byte(8), byte(0));
}

task<result<>> raised(event& which) {
  bool const came = co_await which.wait();
  co_return came ? std::error_code() : make_error_code(errc::canceled);
}

task<result<>> filled(control_stream& from, mutable_buffer all) { co_return co_await from.receive(all); }

bool worth_another_try(std::error_code why) {
  return why == std::errc::connection_refused || why == std::errc::host_unreachable || why == std::errc::network_unreachable;
}

socket_options buffers_for(stress_parameters const& agreed) {
  socket_options made;
  std::size_t const outstanding = std::size_t(agreed.depth) * agreed.tasks * (agreed.request_bytes + agreed.acknowledgement_bytes);
  constexpr std::size_t most = 64u << 20;
  made.send_buffer = made.receive_buffer = std::max(made.send_buffer, std::min(2 * outstanding, most));
  made.type_of_service = agreed.type_of_service;
  return made;
}

}  // namespace

stress_session::stress_session(loop& where, stress_options const& options)
    : where_(where), options_(options), interrupt_(where), control_(where), traffic_(where) {}

void stress_session::say(std::string const& text) const {
  if (!options_.json) fmt::print("{}\n", text);
}

void stress_session::open(address const& own) {
  node_options settings;
  settings.tcp.port = options_.tcp_port;
  settings.limits.memory_bytes = std::size_t(4) << 30;
  for (auto const& each : options_.allowed) settings.allow(each);
  if (active()) {
    subnet only;
    only.base = *options_.peer;
    settings.allow(only);
  } else if (options_.allowed.empty()) {
    settings.allow(subnet::parse("0.0.0.0/0").value()).allow(subnet::parse("::/0").value());
  }
  own_ = own;
  node_ = open_node(where_, own, settings, options_.transport);
  stats_ = serve_stats(where_, node_, options_.stats_path);
}

task<stress_outcome> stress_session::run() {
  co_await agree();
  co_await exchange();
  co_await finish();
  traffic_.stop();
  co_await traffic_.join();
  auto const made = outcome();
  tasks_.clear();
  control_.close();
  co_await stats_.close();
  co_await node_.close(1s);
  co_return made;
}

task<> stress_session::agree() {
  if (active()) {
    co_await connect_control();
    co_await send_parameters();
  } else {
    co_await accept_control();
    co_await receive_parameters();
  }
  bind_tasks();
  co_await go();
}

task<> stress_session::connect_control() {
  open(options_.own ? *options_.own : source_towards(*options_.peer));
  peer_ = *options_.peer;
  endpoint const to(peer_, options_.control_port);
  say("connecting to " + to.to_string());
  for (unsigned tries = 0;; ++tries) {
    auto const why = co_await control_.connect(own_, to);
    if (!why) co_return;
    if (!worth_another_try(why) || tries == options_.connect_retries)
      throw failure(fmt::format("cannot connect to {}: {}. The passive end is started first: rdsco stress -r {} -p {}", to.to_string(),
                                why.message(), peer_.to_string(), options_.control_port));
    auto const slept = co_await sleep(1s);
    slept.value();
  }
}

task<> stress_session::send_parameters() {
  auto& agreed = run_.parameters;
  agreed.depth = options_.depth;
  agreed.request_bytes = static_cast<std::uint32_t>(options_.request_bytes);
  agreed.acknowledgement_bytes = static_cast<std::uint32_t>(options_.acknowledgement_bytes);
  agreed.rdma_bytes = static_cast<std::uint32_t>(options_.rdma_bytes);
  agreed.rdma_vector = options_.rdma_vector;
  agreed.rdma_mode = static_cast<std::uint8_t>(options_.rdma_mode);
  agreed.send_host = stress_host(peer_);
  agreed.receive_host = stress_host(own_);
  agreed.starting_port = options_.control_port;
  agreed.tasks = options_.tasks;
  agreed.run_seconds = options_.seconds;
  agreed.simplex = options_.simplex;
  agreed.type_of_service = static_cast<std::uint8_t>(options_.type_of_service);
  // All in one send: the other end takes the first 16 bytes in one read.
  auto const newer = agreed.encode();
  auto const older = agreed.encode_2_0_6();
  auto const why = co_await control_.send(options_.old_protocol ? const_buffer(older) : const_buffer(newer));
  if (why) throw failure("the other end hung up: " + why.message());
}

task<> stress_session::accept_control() {
  if (options_.own) open(*options_.own);
  endpoint const at(options_.own.value_or(address::v4(0, 0, 0, 0)), options_.control_port);
  if (auto const why = control_.listen(at)) throw failure(fmt::format("cannot listen at TCP {}: {}", at.to_string(), why.message()));
  say("waiting for incoming connection on " + at.to_string());
  auto const first = co_await when_any(control_.accept(), interrupt_.wait());
  if (first.index == 1) throw failure("interrupted before anybody came");
  if (auto const why = std::get<0>(first.value)) throw failure("cannot take a connection: " + why.message());
  say("accepted connection from " + control_.peer().to_string());
  if (!options_.own) open(control_.local().host);
}

task<> stress_session::receive_parameters() {
  stress_parameters::wire bytes{};
  mutable_buffer const all(bytes);
  auto why = co_await with_timeout(options_.patience, filled(control_, all.first(stress_parameters::version_bytes)));
  std::size_t const rest = stress_parameters::bytes_after(const_buffer(bytes).first<stress_parameters::version_bytes>());
  if (!why.ec) why = co_await with_timeout(options_.patience, filled(control_, all.subspan(stress_parameters::version_bytes, rest)));
  if (why.ec) throw failure("the other end sent no parameters: is it an rds-stress? " + why.ec.message());
  run_.parameters = stress_parameters::decode(const_buffer(bytes).first(stress_parameters::version_bytes + rest));
  bool const rdma = run_.parameters.rdma_bytes != 0;
  if (rdma && options_.transport == "tcp") throw failure("RDMA (-D) was asked for, and RDS over TCP has none");
  if (rdma && !run_.parameters.from_rdsco) throw failure(rdma_between_rdsco);
  if (auto const problem = run_.parameters.problem()) throw failure("the other end asks for what is not possible: " + *problem);
  auto const named = run_.parameters.receive_host;
  peer_ = control_.peer().host.is_v4() && named != 0 ? host_of(named) : control_.peer().host;
  peer_is_rdsco_ = run_.parameters.from_rdsco;
  run_.checks_payload = run_.parameters.verify;
  run_.asks = !run_.parameters.simplex;
}

void stress_session::bind_tasks() {
  auto const settings = buffers_for(run_.parameters);
  for (unsigned id = 0; id < run_.parameters.tasks; ++id) {
    endpoint const at(own_, static_cast<std::uint16_t>(run_.parameters.starting_port + 1 + id));
    tasks_.push_back(std::make_unique<stress_task>(run_, bind_socket(node_, at, settings), peer_));
  }
}

task<> stress_session::go() {
  std::byte letter = stress_go;
  std::span<std::byte> const one(&letter, 1);
  std::error_code why;
  if (active()) {
    why = co_await control_.send(one);
    if (!why) why = co_await control_.receive(one);
    peer_is_rdsco_ = letter == stress_gone;
  } else {
    why = co_await control_.receive(one);
    if (peer_is_rdsco_) letter = stress_gone;
    if (!why) why = co_await control_.send(one);
  }
  if (why) throw failure("the other end hung up before the start: it may not like the parameters, and say so there");
  if (!peer_is_rdsco_ && run_.parameters.rdma_bytes != 0) throw failure(rdma_between_rdsco);
  if (peer_is_rdsco_) run_.filling = stress_filling::by_name;
  say("negotiated options, tasks start\nStarting up....");
}

task<> stress_session::exchange() {
  start_ = clock::now();
  for (auto& each : tasks_) each->start(traffic_);
  if (!options_.json) stress_table::print_head();
  task_group rows(where_);
  rows.spawn(print_rows());
  std::exception_ptr failed;
  try {
    co_await when_any(time_over(), control_ended(), interrupt_.wait(), send_failed());
  } catch (...) {
    failed = std::current_exception();
  }
  measure_to_here();
  run_.asks = false;
  rows.stop();
  co_await rows.join();
  if (!failed) co_return;
  traffic_.stop();
  co_await traffic_.join();
  std::rethrow_exception(failed);
}

void stress_session::measure_from_here() {
  start_ = clock::now();
  from_ = run_.traffic;
  run_.trips = percentiles();
}

void stress_session::measure_to_here() {
  end_ = clock::now();
  to_ = run_.traffic;
}

task<> stress_session::time_over() {
  // Without a bound on the passive end: whoever started it knows how long.
  auto const patience = active() ? options_.patience : std::chrono::nanoseconds(for_ever);
  auto const heard = co_await with_timeout(patience, raised(run_.heard));
  if (heard.ec == errc::timed_out)
    throw failure(fmt::format("not one datagram came from {}: is TCP port {} open in both directions, and is {} on its allow-list?",
                              peer_.to_string(), options_.tcp_port, own_.to_string()));
  if (heard.ec) co_return;
  measure_from_here();
  auto const seconds = active() ? run_.parameters.run_seconds : 0;
  static_cast<void>(co_await sleep(seconds == 0 ? duration(for_ever) : duration(std::chrono::seconds(seconds))));
}

task<> stress_session::control_ended() {
  std::byte letter{};
  auto const why = co_await control_.receive(std::span<std::byte>(&letter, 1));
  if (why == errc::canceled) co_return;
  told_to_stop_ = !why;
  bool const foul = active() || (peer_is_rdsco_ && letter != stress_stop);
  if (foul) throw failure("the other end went away in the middle of the test");
}

task<> stress_session::send_failed() {
  static_cast<void>(co_await run_.failed.wait());
  if (run_.failure) throw failure("sending failed: " + run_.failure.message());
}

task<> stress_session::print_rows() {
  bool const quiet = options_.json || options_.summary_only || run_.parameters.summary_only;
  bool const live = quiet && ::isatty(STDERR_FILENO) == 1;
  stress_table table(run_.parameters.tasks);
  for (auto before = clock::now();;) {
    auto const slept = co_await sleep(1s);
    if (slept.ec) break;
    auto const now = clock::now();
    auto const row = table.next_row(run_.traffic, seconds_between(before, now));
    before = now;
    if (!quiet) fmt::print("{}\n", row);
    if (live) fmt::print(stderr, "\r{}", row);
  }
  if (live) fmt::print(stderr, "\r{:90}\r", "");
}

task<> stress_session::settle() {
  auto const deadline = clock::now() + options_.patience;
  // An rds-stress goes on asking until it is told to stop: what is owed to it never ends, what it owes does.
  while (run_.unanswered != 0 || (peer_is_rdsco_ && run_.owed != 0)) {
    auto const left = deadline - clock::now();
    if (left <= left.zero()) break;
    auto const more = co_await with_timeout(left, raised(run_.settled));
    if (more.ec == errc::canceled) co_return;
  }
  accounted_ = true;
}

task<> stress_session::finish() {
  if (active())
    co_await finish_active();
  else
    co_await finish_passive();
}

task<> stress_session::finish_active() {
  if (!peer_is_rdsco_) co_return co_await stop_rds_stress();
  static_cast<void>(co_await control_.send(std::span<std::byte const>(&stress_stop, 1)));
  co_await settle();
  auto const line = co_await with_timeout(options_.patience, control_.receive_line());
  if (!account_is_clean(line.data)) throw failure("the other end told no account of what it received");
  peer_account_ = line.data;
}

task<> stress_session::stop_rds_stress() {
  // In this order: once told to stop it answers nothing more.
  co_await when_any(settle(), control_ended());
  static_cast<void>(co_await control_.send(std::span<std::byte const>(&stress_stop, 1)));
  static_cast<void>(co_await with_timeout(rds_stress_ends_within, control_.receive_line()));
}

task<> stress_session::finish_passive() {
  if (!told_to_stop_ || !peer_is_rdsco_) {
    // An rds-stress that stopped sends nothing more; what it sent before is still on its way.
    static_cast<void>(co_await sleep(1s));
    co_return;
  }
  co_await settle();
  auto const account = account_line(outcome());
  static_cast<void>(co_await control_.send(buffer(account)));
  static_cast<void>(co_await with_timeout(options_.patience, control_.receive_line()));
}

stress_outcome stress_session::outcome() const {
  stress_outcome made;
  made.role = active() ? "active" : "passive";
  made.parameters = run_.parameters;
  made.traffic = run_.traffic;
  made.seconds = seconds_between(start_, end_);
  made.from = from_;
  made.to = to_;
  made.trips = run_.trips;
  made.faults = run_.strays;
  for (auto const& each : tasks_) made.faults.add(each->faults());
  if (accounted_) made.unanswered = run_.unanswered;
  made.payload_checked = run_.checks_payload;
  made.every_byte_checked = run_.checks_payload && run_.filling == stress_filling::by_name;
  made.peer = peer_account_;
  if (peer_account_) made.peer_clean = account_is_clean(*peer_account_);
  return made;
}

}  // namespace rdsco::tools
