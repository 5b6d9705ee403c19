// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/peer/traffic.hpp"

#include "kernel/flow_report.hpp"

#include <rdsco/task_group.hpp>
#include <rdsco/this_task.hpp>
#include <rdsco/with_timeout.hpp>

#include <algorithm>

namespace rdsco::kernel_lab {

traffic::traffic(node& on, driver& commands, loop& where, traffic_options options)
    : node_(on), commands_(commands), loop_(where), options_(std::move(options)) {}

std::error_code traffic::open() {
  auto made = node_.bind(options_.local, options_.buffers);
  socket_ = std::move(made.data);
  return made.ec;
}

task<result<>> traffic::run() {
  task_group both(loop_);
  if (options_.sending) {
    both.spawn(send_all());
  }
  if (options_.receiving) {
    both.spawn(receive_all());
  }
  co_await both.join();
  unacknowledged_ = socket_.unacknowledged();
  co_return co_await this_task::stop_requested() ? result<>(errc::canceled) : result<>();
}

task<> traffic::send_all() {
  co_await commands_.may_send().passed();
  if (options_.window != 0) {
    co_await send_window();
    co_return;
  }
  for (auto index = options_.first_index; index < options_.first_index + options_.send_count; ++index) {
    bool const sent = co_await send_accepted(index);
    if (!sent) {
      co_return;
    }
  }
  static_cast<void>(co_await socket_.drain(std::chrono::hours(1)));
  acknowledged_ = sent_ - socket_.unacknowledged();
  if (options_.progress_every != 0) {
    say({{"event", "progress"}, {"sent", sent_}, {"acknowledged", acknowledged_}});
  }
}

task<bool> traffic::send_accepted(std::uint64_t index) {
  scratch_.resize(options_.sizes.size_of(index));
  fill_datagram(scratch_, {options_.flow, index});
  auto const why = co_await send_scratch();
  if (why) {
    ++failures_[why.message()];
    co_return false;
  }
  ++sent_;
  if (options_.progress_every != 0 && sent_ % options_.progress_every == 0) {
    say({{"event", "progress"}, {"sent", sent_}, {"acknowledged", sent_ - socket_.unacknowledged()}});
  }
  co_return true;
}

// A plain send_to() would wait in silence; a driver wants to know what for.
task<std::error_code> traffic::send_scratch() {
  for (;;) {
    auto const why = socket_.try_send_to(buffer(scratch_), options_.peer);
    if (why == errc::congested) {
      if (times_congested_++ == 0) {
        say({{"event", "congested"}, {"sent", sent_}});
      }
      auto const outcome = co_await socket_.send_to(buffer(scratch_), options_.peer);
      co_return outcome.ec;
    }
    if (why != errc::would_block) {
      co_return why;
    }
    ++times_full_;
    auto const room = co_await with_timeout(std::chrono::milliseconds(20), socket_.writable(options_.peer));
    if (room.ec && room.ec != errc::timed_out) {
      co_return room.ec;
    }
  }
}

// Sends start in the order in which they are spawned, so their datagrams are accepted in the order of their indices.
task<> traffic::send_window() {
  auto next = options_.first_index;
  auto const end = next + options_.send_count;
  while (next < end && !co_await this_task::stop_requested()) {
    task_group burst(loop_);
    for (std::size_t turn = 0; turn < options_.window && next < end; ++turn) {
      burst.spawn(send_one(next++));
    }
    co_await burst.join();
  }
}

task<> traffic::send_one(std::uint64_t index) {
  std::vector<std::byte> bytes(options_.sizes.size_of(index));
  fill_datagram(bytes, {options_.flow, index});
  ++sent_;
  auto const outcome = co_await socket_.send_to(buffer(bytes), options_.peer, until::acknowledged);
  if (outcome.ec) {
    ++failures_[outcome.ec.message()];
    co_return;
  }
  acknowledged(index);
}

void traffic::acknowledged(std::uint64_t index) {
  acknowledged_ahead_.insert(index - options_.first_index);
  while (acknowledged_ahead_.erase(acknowledged_) != 0) {
    ++acknowledged_;
    if (options_.progress_every != 0 && acknowledged_ % options_.progress_every == 0) {
      say({{"event", "progress"}, {"sent", sent_}, {"acknowledged", acknowledged_}});
    }
  }
}

task<> traffic::receive_all() {
  co_await commands_.may_receive().passed();
  while (!all_received()) {
    auto const got = co_await socket_.receive();
    if (got.ec) {
      co_return;
    }
    take(got.data);
  }
  co_await look_for_repeats();
}

task<> traffic::look_for_repeats() {
  for (;;) {
    auto const got = co_await with_timeout(options_.linger, socket_.receive());
    if (got.ec) {
      co_return;
    }
    ++lingered_;
    take(got.data);
  }
}

void traffic::take(message const& got) {
  std::vector<std::byte> joined;
  auto const [flow, _] = flows_.try_emplace(got.from().to_string(), options_.sizes, options_.first_expected);
  flow->second.take(got.contiguous(joined));
  ++received_;
  if (options_.progress_every != 0 && received_ % options_.progress_every == 0) {
    say({{"event", "progress"}, {"received", received_}});
  }
}

bool traffic::all_received() const noexcept {
  return options_.receive_count != 0 && received_ >= options_.receive_count * options_.sources;
}

bool traffic::complete() const {
  auto const all_sent = sent_ == options_.send_count && unacknowledged_ == 0 && acknowledged_ == sent_;
  return (!options_.sending || all_sent) && (!options_.receiving || options_.receive_count == 0 || all_received());
}

nlohmann::json traffic::report() const {
  auto flows = nlohmann::json::array();
  auto clean = failures_.empty();
  for (auto const& [source, log] : flows_) {
    auto const open_ended = options_.receiving && options_.receive_count == 0;
    auto const account = log.report(open_ended ? log.span() : options_.receive_count);
    clean = clean && account.clean();
    flows.push_back(describe(source, log, account));
  }
  auto const expected = options_.receive_count != 0 ? options_.sources : 0;
  auto const silent = flows_.size() < expected ? expected - flows_.size() : 0;
  return {{"clean", clean && silent == 0}, {"sent", sent_},         {"acknowledged", acknowledged_},
          {"unacknowledged", unacknowledged_}, {"received", received_}, {"silent_sources", silent},
          {"after_last", lingered_},       {"failures", failures_}, {"flows", flows},
          {"times_full", times_full_},     {"times_congested", times_congested_}};
}

}  // namespace rdsco::kernel_lab
