// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/afrds/remote.hpp"

#include <linux/rds.h>
#include <poll.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace rdsco::kernel_lab {

namespace {

template <typename Value>
send_control control_of(int type, Value const& value) {
  return {type, std::as_bytes(std::span(&value, 1))};
}

std::uint64_t address_of(void const* bytes) { return reinterpret_cast<std::uintptr_t>(bytes); }

}  // namespace

remote_end_point::remote_end_point(traffic_options const& options, round_options const& rounds)
    : options_(options),
      rounds_(rounds),
      socket_(socket_address(options.local_host, options.local_port), options.send_buffer, options.receive_buffer),
      events_(socket_.local(), 0),
      deadline_(clock::now() + options.timeout) {
  say({{"event", "ready"}, {"command", options_.command}, {"local", socket_.local().text()}});
}

void remote_end_point::wait() {
  pollfd waiting[] = {{socket_.descriptor(), POLLIN, 0}, {events_.signal_descriptor(), POLLIN, 0}};
  poll(waiting, std::size(waiting), 5);
  events_.read();
  if (events_.stopped() || clock::now() >= deadline_) {
    throw std::runtime_error(events_.stopped() ? "stopped" : "timed out");
  }
}

void remote_end_point::send(round_word const& word, socket_address const& to) {
  while (socket_.send(word.packed(), to, false) != send_result::sent) {
    wait();
    receive_some();
  }
}

void remote_end_point::send(round_word const& word, socket_address const& to, send_control const& control) {
  while (socket_.send(word.packed(), to, control) != send_result::sent) {
    wait();
    receive_some();
  }
}

void remote_end_point::drain() {
  while (socket_.unacknowledged() > 0) {
    wait();
    receive_some();
  }
}

void remote_end_point::receive_some() {
  std::array<std::byte, 64> buffer;
  for (auto got = socket_.receive(buffer); got.result != receive_result::nothing; got = socket_.receive(buffer)) {
    for (auto const& one : got.ended) {
      ended_[one.token] = one.status;
    }
    if (got.result == receive_result::notification) {
      continue;
    }
    auto const word = round_word::of(std::span(buffer).first(std::min(got.size, buffer.size())));
    if (!word) {
      account_.faults.push_back("a datagram of " + std::to_string(got.size) + " bytes");
    } else if (word->kind == round_kind::behind) {
      account_.take_behind(word->attempt);
    } else {
      arrived_.push_back({*word, got.source, got.cookie});
    }
  }
}

std::optional<remote_end_point::heard> remote_end_point::next() {
  receive_some();
  if (arrived_.empty()) {
    return std::nullopt;
  }
  auto const made = arrived_.front();
  arrived_.pop_front();
  return made;
}

int remote_end_point::report() {
  say({{"event", "report"}, {"command", options_.command}, {"clean", account_.faults.empty()}, {"done", account_.done},
       {"refused", account_.refused}, {"repeated", account_.repeated}, {"released", account_.released}, {"behind", account_.behind},
       {"outcomes", account_.outcomes}, {"faults", account_.faults}});
  return account_.faults.empty() ? 0 : 1;
}

lender::lender(traffic_options const& options, round_options const& rounds)
    : remote_end_point(options, rounds), peer_(options.peer_host, options.peer_port) {}

int lender::run() {
  try {
    if (rounds_.ahead) {
      lend_ahead();
    } else {
      lend_one_by_one();
    }
    send(round_word{}, peer_);
    for (auto over = false; !over; wait()) {
      while (auto const got = next()) {
        over = over || got->word.kind == round_kind::end;
      }
    }
  } catch (std::runtime_error const& why) {
    account_.faults.push_back(why.what());
  }
  return report();
}

void lender::lend_one_by_one() {
  for (std::uint64_t round = 0; round < rounds_.rounds(); ++round) {
    auto const step = rounds_.step(round);
    round_word asked{step.withdrawn ? round_kind::held : round_kind::offer, round, 0, step.what, rounds_.bytes(round)};
    while (!attempt(asked, step)) {
      ++asked.attempt;
      ++account_.repeated;
    }
  }
}

/// No memory is registered while a connection may end: Linux 6.1 reads through a null pointer then.
void lender::lend_ahead() {
  std::vector<loan> loans;
  for (std::uint64_t round = 0; round < rounds_.rounds(); ++round) {
    loans.push_back({{round_kind::held, round, 0, rounds_.step(round).what, rounds_.bytes(round)}, round_memory(rounds_.bytes(round))});
  }
  while (!loans.empty()) {
    offer(loans);
    for (auto const& each : loans) {
      send({round_kind::now, each.asked.round, each.asked.attempt, each.asked.what, each.asked.bytes}, peer_);
    }
    collect(loans);
    for (auto& each : loans) {
      if (each.cookie != 0) {
        give_back(each.asked, each.cookie);
      }
    }
    std::erase_if(loans, [](loan const& each) { return each.answered == round_kind::done; });
    account_.repeated += loans.size();
    for (auto& each : loans) {
      ++each.asked.attempt;
      each.answered.reset();
    }
  }
}

void lender::offer(std::vector<loan>& loans) {
  for (auto& each : loans) {
    each.memory.fill(true, each.asked.round);
    offer(each.asked, each.memory, each.cookie);
  }
  drain();
}

/// Returns with the last answer; or, where nobody is there any more who would answer, when there is a connection with somebody else.
void lender::collect(std::vector<loan>& loans) {
  auto const all_answered = [&] { return std::all_of(loans.begin(), loans.end(), [](loan const& each) { return each.answered.has_value(); }); };
  auto connection_lost = false;
  for (;;) {
    while (auto const got = next()) {
      take_answer(loans, got->word);
    }
    auto const connected = socket_.connected(peer_);
    if (!connected && !connection_lost) {
      connection_lost = true;
      lost(loans);
    }
    if ((connected || !connection_lost) && (all_answered() || (connection_lost && events_.go()))) {
      return;
    }
    wait();
  }
}

void lender::take_answer(std::vector<loan>& loans, round_word const& word) {
  for (auto& each : loans) {
    if (!word.answers(each.asked)) {
      continue;
    }
    if (each.answered == round_kind::done) {
      // Of an operation that was given up it is not known there whether it was carried out.
      if (word.kind == round_kind::done) {
        account_.fault("done twice", word.round);
      }
      continue;
    }
    each.answered = word.kind;
    if (word.kind == round_kind::done) {
      account_.judge(each.asked, rounds_.step(word.round), each.memory, word.kind);
    }
  }
}

/// A kernel does not connect again before the memory it registered is given back, nor before there is something to send.
void lender::lost(std::vector<loan>& loans) {
  for (auto& each : loans) {
    socket_.free_memory(std::exchange(each.cookie, 0));
  }
  send({round_kind::hello, 0, 0, {}, 0}, peer_);
}

/// False: it is to be done again.
bool lender::attempt(round_word const& asked, remote_step const& step) {
  round_memory memory(asked.bytes);
  memory.fill(true, asked.round);
  std::uint64_t cookie = 0;
  offer(asked, memory, cookie);
  if (step.withdrawn) {
    drain();
    give_back(asked, cookie);
    send({round_kind::now, asked.round, asked.attempt, asked.what, asked.bytes}, peer_);
  }
  auto const answered = answer(asked, cookie);
  if (cookie != 0) {
    give_back(asked, cookie);
  }
  if (answered == round_kind::failed && step.permitted()) {
    return false;
  }
  account_.judge(asked, step, memory, answered);
  return true;
}

void lender::offer(round_word const& asked, round_memory& memory, std::uint64_t& cookie) {
  rds_get_mr_args arguments{};
  arguments.vec = {address_of(memory.lent().data()), memory.lent().size()};
  arguments.cookie_addr = address_of(&cookie);
  arguments.flags = RDS_RDMA_READWRITE | (rounds_.use_once ? RDS_RDMA_USE_ONCE : 0);
  send(asked, peer_, control_of(RDS_CMSG_RDMA_MAP, arguments));
}

/// A kernel does not connect again before the memory it registered is given back.
round_kind lender::answer(round_word const& asked, std::uint64_t& cookie) {
  for (;;) {
    while (auto const got = next()) {
      if (got->word.answers(asked)) {
        return got->word.kind;
      }
    }
    if (cookie != 0 && !socket_.connected(peer_)) {
      socket_.free_memory(std::exchange(cookie, 0));
    }
    wait();
  }
}

void lender::give_back(round_word const& asked, std::uint64_t& cookie) {
  auto const was_there = socket_.free_memory(std::exchange(cookie, 0));
  account_.released += !was_there;
  if (!was_there && !rounds_.use_once) {
    account_.fault("the kernel does not know its own memory", asked.round);
  }
}

int borrower::run() {
  std::map<std::uint64_t, std::uint64_t> held;  // cookies by rounds
  try {
    for (auto over = false; !over;) {
      while (auto const got = next()) {
        auto const& word = got->word;
        if (word.kind == round_kind::end) {
          over = true;
          send(word, got->source);
        }
        if (word.kind == round_kind::held) {
          held[word.round] = got->cookie;
        } else if (word.kind == round_kind::now || word.kind == round_kind::offer) {
          operate(word, word.kind == round_kind::now ? held[word.round] : got->cookie, got->source);
        }
      }
      if (!over) {
        wait();
      }
    }
    drain();
  } catch (std::runtime_error const& why) {
    account_.faults.push_back(why.what());
  }
  return report();
}

void borrower::operate(round_word const& asked, std::uint64_t cookie, socket_address const& lender) {
  auto const reads = asked.what == remote_action::read;
  round_memory memory(asked.bytes);
  if (!reads) {
    memory.fill(false, asked.round);
  }
  rds_iovec const local{address_of(memory.lent().data()), memory.lent().size()};
  auto const token = ++operations_;
  rds_rdma_args arguments{};
  arguments.cookie = cookie;
  arguments.remote_vec = {0, asked.bytes};
  arguments.local_vec_addr = address_of(&local);
  arguments.nr_local = 1;
  arguments.flags = RDS_RDMA_NOTIFY_ME | (reads ? RDS_RDMA_FENCE : RDS_RDMA_READWRITE);
  arguments.user_token = token;
  auto reply = asked;
  reply.kind = round_kind::done;
  send(reply, lender, control_of(RDS_CMSG_RDMA_ARGS, arguments));
  for (std::uint64_t turn = 0; turn < rounds_.behind; ++turn) {
    send({round_kind::behind, asked.round, behind_++, {}, 0}, lender);
  }
  auto const status = ended(token);
  ++account_.outcomes[std::to_string(status)];
  if (status != RDS_RDMA_SUCCESS) {
    reply.kind = round_kind::failed;
    send(reply, lender);
    return;
  }
  ++account_.done;
  if (!memory.holds(reads, asked.round)) {
    account_.fault("wrong bytes", asked.round);
  }
  if (!memory.surroundings_untouched()) {
    account_.fault("bytes beside were written", asked.round);
  }
}

std::int32_t borrower::ended(std::uint64_t token) {
  receive_some();
  while (ended_.find(token) == ended_.end()) {
    wait();
    receive_some();
  }
  return ended_[token];
}

}  // namespace rdsco::kernel_lab
