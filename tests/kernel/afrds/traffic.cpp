// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/afrds/traffic.hpp"

#include "kernel/flow_report.hpp"

#include <poll.h>
#include <unistd.h>

#include <csignal>
#include <nlohmann/json.hpp>

namespace rdsco::kernel_lab {

namespace {

constexpr int batch = 16;

void interrupt_at(std::chrono::milliseconds timeout) {
  // A blocking send to a congested port ignores SO_SNDTIMEO: only a signal ends it.
  struct sigaction action{};
  action.sa_handler = [](int) {};
  sigaction(SIGALRM, &action, nullptr);
  alarm(static_cast<unsigned>(timeout.count() / 1000 + 1));
}

}  // namespace

traffic::traffic(traffic_options options)
    : options_(std::move(options)),
      socket_(socket_address(options_.local_host, options_.local_port), options_.send_buffer, options_.receive_buffer),
      events_(socket_.local(), options_.go_port),
      outgoing_(options_.sizes.largest()),
      incoming_((1U << 20U) + 1),
      deadline_(clock::now() + options_.timeout),
      last_arrival_(clock::now()) {
  if (!options_.peer_host.empty()) {
    peer_ = socket_address(options_.peer_host, options_.peer_port);
  }
}

int traffic::run() {
  say({{"event", "ready"}, {"command", options_.command}, {"local", socket_.local().text()}});
  if (options_.blocking) {
    interrupt_at(options_.timeout);
  }
  while (work_left()) {
    wait();
    events_.read();
    receive_some();
    send_some();
  }
  return report();
}

bool traffic::work_left() {
  if (events_.stopped() || clock::now() >= deadline_) {
    return false;
  }
  if (options_.sending && sent_ < options_.send_count) {
    return true;
  }
  unacknowledged_ = options_.sending ? socket_.unacknowledged() : 0;
  if (unacknowledged_ > 0 && !options_.leaving) {
    return true;
  }
  return options_.receiving && (!all_received() || clock::now() < last_arrival_ + options_.linger);
}

void traffic::wait() {
  using std::chrono::milliseconds;
  auto rds = pollfd{socket_.descriptor(), 0, 0};
  if (may_receive()) {
    rds.events |= POLLIN;
  }
  if (may_send() && !congested_) {
    rds.events |= POLLOUT;
  }
  auto limit = std::chrono::ceil<milliseconds>(deadline_ - clock::now());
  if (unacknowledged_ > 0) {
    limit = std::min(limit, milliseconds(5));  // poll cannot tell when the last acknowledgement comes
  } else if (congested_) {
    limit = std::min(limit, milliseconds(20));  // another socket may have taken the freed space: no second notification
  } else if (options_.receiving && all_received()) {
    limit = std::min(limit, std::chrono::ceil<milliseconds>(last_arrival_ + options_.linger - clock::now()));
  }
  pollfd waiting[] = {rds, {events_.signal_descriptor(), POLLIN, 0}, {events_.go_descriptor(), POLLIN, 0}};
  poll(waiting, std::size(waiting), static_cast<int>(std::max(limit, milliseconds(0)).count()));
}

void traffic::send_some() {
  for (auto turn = 0; turn < batch && may_send(); ++turn) {
    auto const index = options_.first_index + sent_;
    auto const datagram = std::span(outgoing_).first(options_.sizes.size_of(index));
    fill_datagram(datagram, {options_.flow, index});
    auto const result = socket_.send(datagram, peer_, options_.blocking);
    congested_ = result == send_result::congested;
    if (congested_ && times_congested_++ == 0) {
      say({{"event", "congested"}, {"sent", sent_}});
    }
    times_full_ += result == send_result::buffer_full;
    if (result != send_result::sent) {
      return;
    }
    ++sent_;
    if (options_.progress_every != 0 && sent_ % options_.progress_every == 0) {
      say({{"event", "progress"}, {"sent", sent_}});
    }
  }
}

void traffic::receive_some() {
  for (auto turn = 0; turn < batch && may_receive(); ++turn) {
    auto const got = socket_.receive(incoming_);
    if (got.result == receive_result::nothing) {
      return;
    }
    if (got.result == receive_result::notification) {
      ++congestion_updates_;
      congested_ = false;
      continue;
    }
    take(std::span(incoming_).first(std::min(got.size, incoming_.size())), got.source.text());
  }
}

void traffic::take(std::span<std::byte const> datagram, std::string const& source) {
  auto const [flow, _] = flows_.try_emplace(source, options_.sizes, options_.first_index);
  flow->second.take(datagram);
  last_arrival_ = clock::now();
  ++received_;
  if (options_.progress_every != 0 && received_ % options_.progress_every == 0) {
    say({{"event", "progress"}, {"received", received_}});
  }
}

bool traffic::may_send() const {
  return options_.sending && sent_ < options_.send_count && (events_.go() || !options_.wait_to_send);
}

bool traffic::may_receive() const { return events_.go() || !options_.wait_to_receive; }

bool traffic::all_received() const {
  return options_.receive_count != 0 && received_ >= options_.receive_count * options_.sources;
}

std::string traffic::status() const {
  auto const all_sent = sent_ == options_.send_count && unacknowledged_ == 0;
  auto const complete = all_sent && (!options_.receiving || options_.receive_count == 0 || all_received());
  return complete ? "complete" : events_.stopped() ? "stopped" : clock::now() < deadline_ ? "left" : "timeout";
}

int traffic::report() {
  auto flows = nlohmann::json::array();
  auto clean = true;
  for (auto const& [source, log] : flows_) {
    auto const open_ended = options_.receiving && options_.receive_count == 0;
    auto const account = log.report(open_ended ? log.span() : options_.receive_count);
    clean = clean && account.clean();
    flows.push_back(describe(source, log, account));
  }
  auto const silent = options_.receive_count != 0 && flows_.size() < options_.sources ? options_.sources - flows_.size() : 0;
  auto const complete = status() == "complete" && silent == 0;
  say({{"event", "report"},
       {"command", options_.command},
       {"status", status()},
       {"clean", clean},
       {"sent", sent_},
       {"unacknowledged", unacknowledged_},
       {"times_full", times_full_},
       {"times_congested", times_congested_},
       {"congestion_updates", congestion_updates_},
       {"received", received_},
       {"silent_sources", silent},
       {"flows", flows}});
  return clean && complete ? 0 : 1;
}

}  // namespace rdsco::kernel_lab
