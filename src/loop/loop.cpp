// SPDX-License-Identifier: BSD-2-Clause
#include "loop/spin_budget.hpp"
#include "loop/system_sources.hpp"
#include "loop/uring_backend.hpp"

#include <rdsco/detail/check.hpp>
#include <rdsco/loop.hpp>

#include <algorithm>

namespace rdsco {
namespace {

// A turn that need not call the kernel does so all the same once in a while, or what ends there would starve.
constexpr unsigned skipped_max = 16;

}  // namespace

loop::loop(loop_options const& options) : loop(options, detail::seams(detail::make_uring_backend(options))) {}

loop::loop(loop_options const& options, detail::seams world)
    : options_(options),
      io_(world.io ? std::move(world.io) : detail::make_uring_backend(options)),
      system_(std::make_unique<detail::system_sources>()),
      clock_(world.clock != nullptr ? world.clock : &system_->clock),
      random_(world.random != nullptr ? world.random : &system_->random),
      memory_(world.memory != nullptr ? world.memory : &system_->memory),
      policy_(world.policy),
      spin_(std::make_unique<detail::spin_budget>(options.spin_max, detail::online_processors())) {
  now_ = clock_->now();
}

loop::~loop() {
  RDSCO_CHECK(!in_turn_, "a loop was destroyed from inside one of its own turns");
  RDSCO_CHECK(ready_.empty() && next_turn_.empty(), "a loop was destroyed with coroutines ready to run");
  RDSCO_CHECK(timers_.empty(), "a loop was destroyed with timers armed");
  RDSCO_CHECK(spinners_.empty(), "a loop was destroyed with connections on it");
  RDSCO_CHECK(io_->operations_in_flight() == 0, "a loop was destroyed with operations in flight");
  RDSCO_CHECK(frames() == 0, "a loop was destroyed before coroutines that were made on it");
}

void loop::run() {
  running_ = true;
  while (!stop_requested_.exchange(false)) turn(true);
  running_ = false;
}

void loop::stop() noexcept {
  stop_requested_.store(true);
  notify();
}

bool loop::run_once() { return turn(true) != 0; }

std::size_t loop::poll() {
  waiting_.store(false);
  std::size_t const ran = turn(false);
  before_wait();
  if (io_->has_submissions()) io_->wait(duration::zero());
  waiting_.store(true);
  io_->arm_wait_fd(timers_.next_deadline(), clock_->now(), has_ready());
  return ran;
}

int loop::wait_fd() { return io_->wait_fd(); }

void loop::post(detail::mail& message) noexcept {
  if (mailbox_.post(message)) notify();
}

void loop::notify() noexcept {
  if (waiting_.exchange(false)) io_->wake();
}

std::size_t loop::turn(bool may_wait) noexcept {
  RDSCO_CHECK(!in_turn_, "a loop was run from inside one of its own turns");
  in_turn_ = true;
  detail::frame_account::scope const counted(frames_);
  ++counters_.turns;
  bool const carried_over = !next_turn_.empty();
  ready_.splice_back(next_turn_);
  wait_phase(may_wait, carried_over);
  std::size_t const mail = mailbox_.run();
  std::size_t const timers = timers_.expire(now_);
  std::size_t const resumed = run_ready();
  counters_.mail += mail;
  counters_.timers += timers;
  counters_.resumed += resumed;
  in_turn_ = false;
  return mail + timers + resumed;
}

void loop::wait_phase(bool may_wait, bool carried_over) noexcept {
  if (may_wait && !has_ready()) {
    if (spin_phase()) return;
    before_wait();
    if (!has_ready()) return block();
  }
  // Whoever was carried over made the last turn a long one.
  if (!may_wait || carried_over || io_->has_submissions() || ++skipped_in_a_row_ >= skipped_max) {
    skipped_in_a_row_ = 0;
    // Whoever looks for bytes by asking is not told of them: while there is always work, ask now and then.
    ask_spinners();
    io_->wait(duration::zero());
  } else {
    ++counters_.skipped;
  }
  now_ = clock_->now();
  io_->poll_completions();
}

void loop::block() noexcept {
  std::optional<duration> timeout;
  if (auto const deadline = timers_.next_deadline()) timeout = std::max(duration::zero(), *deadline - clock_->now());
  // TRICKY: a writer posts and then reads waiting_; the loop sets waiting_ and then reads the mailbox. One of them sees the
  // other, whatever the order.
  waiting_.store(true);
  if (!mailbox_.empty() || stopping()) timeout = duration::zero();
  ++counters_.waits;
  skipped_in_a_row_ = 0;
  io_->wait(timeout);
  waiting_.store(false);
  now_ = clock_->now();
  io_->poll_completions();
}

bool loop::spin_phase() noexcept {
  if (!spin_->enabled() || !io_->can_spin() || !anybody_expecting()) return false;
  duration budget = spin_->next();
  if (budget == duration::zero()) return false;
  if (io_->has_submissions()) io_->wait(duration::zero());
  now_ = clock_->now();
  time_point end = now_ + budget;
  if (auto const deadline = timers_.next_deadline(); deadline && *deadline < end) end = *deadline;
  do {
    if (spin_once()) {
      ++counters_.spins_hit;
      spin_->hit();
      return true;
    }
    now_ = clock_->now();
  } while (now_ < end);
  ++counters_.spins_missed;
  spin_->missed();
  return false;
}

bool loop::spin_once() noexcept {
  bool const completed = io_->poll_completions();
  return ask_spinners() || completed || has_ready() || stopping();
}

// A spinner may leave the list while it is asked. After the first find the others have their turn later, and before the one
// that found: what was found lies in memory that they share.
bool loop::ask_spinners() noexcept {
  for (auto at = spinners_.begin(); at != spinners_.end();) {
    detail::spinner& asked = *at++;
    if (!asked.spin()) continue;
    if (asked.linked()) {
      spinners_.remove(asked);
      spinners_.push_back(asked);
    }
    return true;
  }
  return false;
}

bool loop::anybody_expecting() noexcept {
  return std::any_of(spinners_.begin(), spinners_.end(), [](detail::spinner const& each) { return each.expecting(); });
}

void loop::before_wait() noexcept {
  for (auto at = spinners_.begin(); at != spinners_.end();) (at++)->before_wait();
}

std::size_t loop::run_ready() noexcept {
  std::size_t count = 0;
  while (count < options_.ready_budget && !ready_.empty()) {
    detail::ready_item* const item =
        policy_ == nullptr ? ready_.pop_front() : ready_.take(policy_->choose(ready_.size()) % ready_.size());
    ++count;
    item->run(*item);
  }
  return count;
}

}  // namespace rdsco
