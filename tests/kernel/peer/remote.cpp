// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/peer/remote.hpp"

#include "kernel/peer/driver.hpp"

#include <rdsco/sleep.hpp>
#include <rdsco/task_group.hpp>
#include <rdsco/with_timeout.hpp>

#include <map>
#include <nlohmann/json.hpp>

namespace rdsco::kernel_lab {

namespace {

// An operation is well under way by then, or it is done: either is a case.
constexpr auto until_cut = std::chrono::milliseconds(2);
constexpr auto linger = std::chrono::milliseconds(200);
constexpr auto patience = std::chrono::seconds(60);

access access_for(remote_action what) {
  switch (what) {
    case remote_action::write: return access::write;
    case remote_action::read: return access::read;
    default: return access::atomic;
  }
}

std::optional<round_word> word_of(message const& got) {
  std::vector<std::byte> joined;
  return round_word::of(got.contiguous(joined));
}

std::string name_of(std::error_code outcome) {
  if (!outcome) {
    return "done";
  }
  return outcome == errc::remote_access       ? "not permitted"
         : outcome == errc::operation_dropped ? "dropped"
         : outcome == errc::stale_offer       ? "stale"
                                              : outcome.message();
}

nlohmann::json described(round_account const& account) {
  return {{"clean", account.faults.empty()}, {"done", account.done},         {"refused", account.refused},
          {"repeated", account.repeated},    {"released", account.released}, {"behind", account.behind},
          {"stale", account.stale},          {"outcomes", account.outcomes},    {"faults", account.faults}};
}

}  // namespace

nlohmann::json lender::report() const { return described(account_); }

task<result<>> lender::run() {
  // What is bound behind frames that a peer had no receives for, as a kernel has at first, soft-RoCE binds again when it repeats them, which
  // fails, and then it does nothing any more.
  round_word greeting;
  greeting.kind = round_kind::hello;
  auto const hello = greeting.packed();
  auto const greeted = co_await socket_.send_to(buffer(hello), peer_, until::acknowledged);
  if (greeted.ec) {
    co_return greeted.ec;
  }
  for (std::uint64_t round = 0; round < rounds_.rounds(); ++round) {
    auto const step = rounds_.step(round);
    round_word asked{step.withdrawn ? round_kind::held : round_kind::offer, round, 0, step.what, rounds_.bytes(round)};
    auto outcome = co_await attempt(asked, step);
    for (; outcome == errc::operation_dropped; ++asked.attempt) {
      ++account_.repeated;
      outcome = co_await attempt(asked, step);
    }
    if (outcome) {
      account_.fault(outcome.message(), round);
      co_return outcome;
    }
  }
  round_word const end;
  auto const last = end.packed();
  auto const sent = co_await socket_.send_to(buffer(last), peer_);
  auto answered = co_await next();
  while (!answered.ec && answered.data.kind != round_kind::end) {
    answered = co_await next();  // of an operation that was carried out and given up
  }
  complete_ = !sent.ec && !answered.ec;
  // A kernel asks for an acknowledgement, which a node that is gone gives to nobody.
  auto repeated = next();
  auto const more = co_await with_timeout(linger, std::move(repeated));
  if (!more.ec) {
    account_.fault("a datagram behind the last", rounds_.rounds());
  }
  co_return sent.ec ? sent.ec : answered.ec;
}

/// operation_dropped: it is to be done again.
task<std::error_code> lender::attempt(round_word asked, remote_step step) {
  round_memory memory(asked.bytes);
  memory.fill(true, asked.round);
  auto registered = co_await socket_.register_memory(memory.all());
  if (registered.ec) {
    co_return registered.ec;
  }
  region own = std::move(registered.data);
  auto const outcome = co_await lend(asked, step, memory, own);
  auto const closed = co_await own.close();
  co_return outcome ? outcome : closed.ec;
}

task<std::error_code> lender::lend(round_word asked, remote_step step, round_memory& memory, region& own) {
  offer_terms terms(access_for(asked.what));
  terms.use_once = rounds_.use_once;
  terms.invalidate = true;
  auto made = co_await own.offer(peer_.host, memory.start(), asked.bytes, terms);
  if (made.ec) {
    co_return made.ec;
  }
  memory_offer offered = std::move(made.data);
  auto const words = asked.packed();
  auto const sent = co_await socket_.send_to(buffer(words), peer_, offered, step.withdrawn ? until::acknowledged : until::accepted);
  if (sent.ec == errc::stale_offer) {
    co_return errc::operation_dropped;
  }
  if (sent.ec) {
    co_return sent.ec;
  }
  if (step.withdrawn) {
    auto const withdrawn = co_await offered.withdraw();
    auto now = asked;
    now.kind = round_kind::now;
    auto const told = now.packed();
    auto const said = co_await socket_.send_to(buffer(told), peer_);
    if (withdrawn.ec || said.ec) {
      co_return withdrawn.ec ? withdrawn.ec : said.ec;
    }
  }
  if (rounds_.cut(asked.round, asked.attempt)) {
    static_cast<void>(co_await sleep(until_cut));
    static_cast<void>(co_await own.close(true));
  }
  auto const answered = co_await answer(asked);
  if (answered.ec) {
    co_return answered.ec;
  }
  if (answered.data == round_kind::failed && step.permitted()) {
    account_.stale += !offered.usable();
    co_return errc::operation_dropped;
  }
  if (answered.data == round_kind::done && rounds_.use_once) {
    co_await look_whether_used_up(asked, offered);
  }
  account_.judge(asked, step, memory, answered.data);
  co_return std::error_code();
}

task<result<round_kind>> lender::answer(round_word asked) {
  for (;;) {
    auto const got = co_await next();
    if (got.ec) {
      co_return got.ec;
    }
    if (got.data.answers(asked)) {
      co_return got.data.kind;
    }
  }
}

/// The next datagram that is not merely behind an operation.
task<result<round_word>> lender::next() {
  for (;;) {
    auto const got = co_await socket_.receive();
    if (got.ec) {
      co_return got.ec;
    }
    auto const word = word_of(got.data);
    if (word && word->kind != round_kind::behind) {
      co_return *word;
    }
    if (word) {
      account_.take_behind(word->attempt);
    } else {
      account_.faults.push_back("a datagram that says nothing");
    }
  }
}

task<> lender::look_whether_used_up(round_word asked, memory_offer& offered) {
  auto over = offered.over();
  auto const how = co_await with_timeout(patience, std::move(over));
  ++account_.released;
  if (how.ec) {
    account_.fault("an offer that was used: " + how.ec.message(), asked.round);
  }
}

nlohmann::json borrower::report() const { return described(account_); }

task<result<>> borrower::run() {
  std::map<std::uint64_t, remote_memory> held;  // by rounds
  for (;;) {
    auto const got = co_await socket_.receive();
    if (got.ec) {
      co_return got.ec;
    }
    auto const word = word_of(got.data);
    auto const from = got.data.from();
    if (!word) {
      account_.fault("a datagram that says nothing", 0);
      co_return errc::operation_dropped;
    }
    if (word->kind == round_kind::end) {
      auto const words = word->packed();
      auto const sent = co_await socket_.send_to(buffer(words), from);
      if (sent.ec) {
        co_return sent.ec;
      }
      break;
    }
    if (word->kind == round_kind::hello) {
      continue;
    }
    if (word->kind == round_kind::held) {
      held[word->round] = got.data.offered().value_or(remote_memory());
      continue;
    }
    if (word->kind == round_kind::now && held.find(word->round) == held.end()) {
      ++account_.outcomes["never offered"];  // not to this process
      auto const told = co_await answer(*word, from);
      if (told) {
        co_return told;
      }
      continue;
    }
    auto const of = word->kind == round_kind::now ? held[word->round] : got.data.offered().value_or(remote_memory());
    auto const outcome = co_await operate(*word, of, from);
    if (outcome) {
      account_.fault(outcome.message(), word->round);
      co_return outcome;
    }
  }
  auto const left = co_await socket_.drain(patience);
  complete_ = !left.ec && left.data == 0;
  co_return left.ec;
}

/// Errors: those that are not of the operation.
task<std::error_code> borrower::operate(round_word asked, remote_memory of, endpoint lender) {
  round_memory memory(asked.bytes);
  if (asked.what == remote_action::write) {
    memory.fill(false, asked.round);
  }
  auto registered = co_await socket_.register_memory(memory.all());
  if (registered.ec) {
    co_return registered.ec;
  }
  region own = std::move(registered.data);
  std::error_code outcome;
  std::error_code sent;
  {
    task_group both(loop_);
    both.spawn(operate_on(asked, of, memory, own, outcome));
    sent = co_await send_behind(asked, lender);
    co_await both.join();
  }
  auto const closed = co_await own.close();
  ++account_.outcomes[name_of(outcome)];
  if (outcome && !sent) {
    sent = co_await answer(asked, lender);
  }
  co_return sent ? sent : closed.ec;
}

task<> borrower::operate_on(round_word asked, remote_memory of, round_memory& memory, region& own, std::error_code& outcome) {
  auto const cut = rounds_.cut(asked.round, asked.attempt);
  auto const part = own.slice(memory.start(), asked.bytes);
  auto work = carry_out(asked, of, part);
  auto const done = co_await with_timeout(cut ? until_cut : patience, std::move(work));
  outcome = done.ec;
  if (outcome) {
    co_return;
  }
  ++account_.done;
  if (rounds_.progress_every != 0 && account_.done % rounds_.progress_every == 0) {
    say({{"event", "progress"}, {"done", account_.done}});
  }
  auto const atomic = asked.what == remote_action::add || asked.what == remote_action::swap;
  if (atomic ? done.data != round_memory::number_of(true, asked.round) : !memory.holds(asked.what == remote_action::read, asked.round)) {
    account_.fault("wrong bytes", asked.round);
  }
  if (!memory.surroundings_untouched()) {
    account_.fault("bytes beside were written", asked.round);
  }
}

/// The value: what an atomic operation found.
task<result<std::uint64_t>> borrower::carry_out(round_word asked, remote_memory of, region_slice part) {
  auto reply = asked;
  reply.kind = round_kind::done;
  auto const words = reply.packed();
  auto const then = buffer(words);
  rdma_options options;
  options.flush_on_cancel = true;
  auto const expected = round_memory::number_of(true, asked.round);
  auto const desired = round_memory::number_of(false, asked.round);
  switch (asked.what) {
    case remote_action::write: {
      auto const wrote = co_await socket_.rdma_write(part, of, 0, then, options);
      co_return result<std::uint64_t>(wrote.ec);
    }
    case remote_action::read: {
      auto const got = co_await socket_.rdma_read(part, of, 0, then, options);
      co_return result<std::uint64_t>(got.ec);
    }
    case remote_action::add: co_return co_await socket_.fetch_add(of, 0, round_memory::added, then, options);
    case remote_action::swap: co_return co_await socket_.compare_swap(of, 0, expected, desired, then, options);
  }
  co_return errc::not_supported;
}

task<std::error_code> borrower::answer(round_word asked, endpoint lender) {
  auto reply = asked;
  reply.kind = round_kind::failed;
  auto const words = reply.packed();
  auto const sent = co_await socket_.send_to(buffer(words), lender);
  co_return sent.ec;
}

task<std::error_code> borrower::send_behind(round_word asked, endpoint lender) {
  for (std::uint64_t turn = 0; turn < rounds_.behind; ++turn) {
    round_word const word{round_kind::behind, asked.round, behind_++, {}, 0};
    auto const words = word.packed();
    auto const sent = co_await socket_.send_to(buffer(words), lender);
    if (sent.ec) {
      co_return sent.ec;
    }
  }
  co_return std::error_code();
}

}  // namespace rdsco::kernel_lab
