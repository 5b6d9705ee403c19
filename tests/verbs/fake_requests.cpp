// SPDX-License-Identifier: BSD-2-Clause
#include "verbs/fake_fabric.hpp"

#include <rdsco/detail/check.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <utility>

namespace rdsco::test {

namespace {

std::size_t room_of(std::vector<ibv_sge> const& into) {
  std::size_t total = 0;
  for (ibv_sge const& each : into) total += each.length;
  return total;
}

bool has(ibv_send_wr const& request, unsigned flag) noexcept { return (request.send_flags & flag) != 0; }

bool is_message(ibv_send_wr const& request) noexcept { return request.opcode == IBV_WR_SEND || request.opcode == IBV_WR_SEND_WITH_INV; }

bool is_atomic(ibv_send_wr const& request) noexcept {
  return request.opcode == IBV_WR_ATOMIC_FETCH_AND_ADD || request.opcode == IBV_WR_ATOMIC_CMP_AND_SWP;
}

// What is answered with bytes, and what a fence waits for.
bool is_answered(ibv_send_wr const& request) noexcept { return request.opcode == IBV_WR_RDMA_READ || is_atomic(request); }

// Something waits behind a READ, and with it the whole queue.
bool waits(fake_pair const& pair) noexcept {
  bool const asks = !pair.sends.empty() && is_answered(pair.sends.front().request);
  return asks && std::ranges::any_of(pair.sends, [](fake_send const& each) { return has(each.request, IBV_SEND_FENCE); });
}

bool is_of_its_host(ibv_send_wr const& request) noexcept { return request.opcode == IBV_WR_BIND_MW || request.opcode == IBV_WR_LOCAL_INV; }

ibv_wc_opcode told_as(ibv_wr_opcode opcode) noexcept {
  switch (opcode) {
    case IBV_WR_RDMA_WRITE: return IBV_WC_RDMA_WRITE;
    case IBV_WR_RDMA_READ: return IBV_WC_RDMA_READ;
    case IBV_WR_ATOMIC_FETCH_AND_ADD: return IBV_WC_FETCH_ADD;
    case IBV_WR_ATOMIC_CMP_AND_SWP: return IBV_WC_COMP_SWAP;
    case IBV_WR_BIND_MW: return IBV_WC_BIND_MW;
    case IBV_WR_LOCAL_INV: return IBV_WC_LOCAL_INV;
    default: return IBV_WC_SEND;
  }
}

bool names(std::vector<ibv_sge> const& elements, std::uint32_t key) noexcept {
  return std::ranges::any_of(elements, [key](ibv_sge const& each) { return each.lkey == key && each.length != 0; });
}

constexpr std::size_t word_bytes = 8;  // of atomics

}  // namespace

// --- posting ---------------------------------------------------------------------------------------------------------

int fake_fabric::refusal_of(fake_pair const& by, ibv_send_wr const& request) const noexcept {
  bool const fenced_read = request.opcode == IBV_WR_RDMA_READ && has(request, IBV_SEND_FENCE);
  bool const wide_read = request.opcode == IBV_WR_RDMA_READ && request.num_sge > attributes.max_sge_rd;
  bool const known = is_message(request) || is_answered(request) || is_of_its_host(request) || request.opcode == IBV_WR_RDMA_WRITE;
  if (!known || has(request, IBV_SEND_INLINE)) return -EINVAL;
  if (std::cmp_greater(request.num_sge, by.cap.max_send_sge) || wide_read) return -EINVAL;
  if ((is_atomic(request) && !rules.atomics) || (fenced_read && !rules.fenced_reads)) return -EINVAL;
  if (is_atomic(request) && room_of({request.sg_list, request.sg_list + request.num_sge}) != word_bytes) return -EINVAL;
  return by.sends.size() + by.unsignaled >= by.cap.max_send_wr ? -ENOMEM : 0;
}

bool fake_fabric::uses(ibv_mr const& region) const noexcept {
  return std::ranges::any_of(ids_, [&](fake_id const* id) {
    if (id->pair == nullptr) return false;
    return std::ranges::any_of(id->pair->sends, [&](fake_send const& each) { return !each.outdone && names(each.elements, region.lkey); }) ||
           std::ranges::any_of(id->pair->receives, [&](fake_receive const& each) { return names(each.into, region.lkey); });
  });
}

// --- completions -----------------------------------------------------------------------------------------------------

void fake_fabric::complete(fake_queue& to, ibv_wc const& made, bool solicited) {
  RDSCO_CHECK(to.completions.size() < to.entries, "a completion queue of a test overflowed");
  to.completions.push_back(made);
  if (made.status != IBV_WC_SUCCESS) to.completions.back().vendor_err = vendor_error;
  bool const announced = solicited || made.status != IBV_WC_SUCCESS;
  if (!to.armed || (to.solicited_only && !(announced && rules.announces))) return;
  announce(to);
}

void fake_fabric::complete(fake_pair& of, fake_send const& sent, ibv_wc_status status) {
  ibv_wc made{};
  made.wr_id = sent.request.wr_id;
  made.status = status;
  made.opcode = told_as(sent.request.opcode);
  if (is_answered(sent.request)) made.byte_len = static_cast<std::uint32_t>(room_of(sent.elements));
  complete(*of.sends_to, made, true);
}

void fake_fabric::complete(fake_pair& of, fake_receive const& received, ibv_wc_status status, std::size_t bytes, fake_send const* sent) {
  ibv_wc made{};
  made.wr_id = received.number;
  made.status = status;
  made.opcode = IBV_WC_RECV;
  made.byte_len = static_cast<std::uint32_t>(bytes);
  if (sent != nullptr && sent->request.opcode == IBV_WR_SEND_WITH_INV) {
    made.wc_flags = IBV_WC_WITH_INV;
    made.invalidated_rkey = sent->request.invalidate_rkey;
  }
  complete(*of.receives_to, made, sent != nullptr && has(sent->request, IBV_SEND_SOLICITED));
}

void fake_fabric::carried_out(fake_pair& of, fake_send& sent) {
  sent.outdone = true;
  for (; !of.sends.empty() && of.sends.front().outdone; of.sends.pop_front()) {
    ++of.unsignaled;
    if (!has(of.sends.front().request, IBV_SEND_SIGNALED)) continue;
    of.unsignaled = 0;
    complete(of, of.sends.front(), IBV_WC_SUCCESS);
  }
}

// `first` is what happened: to the request `at`, or else to the first one. The others were only in the way of it.
void fake_fabric::fail_pair(fake_pair& pair, ibv_wc_status first, fake_send const* at) {
  if (pair.failed) return;
  pair.failed = true;
  flush(pair, first, at);
}

void fake_fabric::flush(fake_pair& pair, ibv_wc_status first, fake_send const* at) {
  bool told = false;
  auto const status_of = [&](bool its) { return its && !std::exchange(told, true) ? first : IBV_WC_WR_FLUSH_ERR; };
  if (!is_held(pair)) {
    for (; !pair.sends.empty(); pair.sends.pop_front()) {
      bool const its = at == nullptr || at == &pair.sends.front();
      complete(pair, pair.sends.front(), status_of(its));
    }
    pair.unsignaled = 0;
  }
  for (; !pair.receives.empty(); pair.receives.pop_front()) complete(pair, pair.receives.front(), status_of(at == nullptr));
}

// --- carrying out ----------------------------------------------------------------------------------------------------

void fake_fabric::run() {
  if (running_) return;
  running_ = true;
  for (bool moved = true; moved;) {
    moved = false;
    for (fake_id* const id : ids_)
      while (id->pair != nullptr && carry_out(*id->pair)) moved = true;
  }
  running_ = false;
}

fake_pair* fake_fabric::opposite(fake_pair const& from) const noexcept {
  fake_id const* const far = from.of->other;
  if (far == nullptr || far->pair == nullptr || far->pair->failed || is_cut(*from.of)) return nullptr;
  return far->pair;
}

bool fake_fabric::may_arrive(fake_pair const& to) const noexcept {
  return !faults.at_last_moment || to.receives_to->armed || to.receives_to == arming_;
}

bool fake_fabric::breaks_rules(fake_pair const& from, fake_pair const& to, bool message) {
  bool const first = !rules.anyone_first && !from.of->asked && !from.heard;
  bool const lost = !rules.retries && message && to.receives.empty();
  spoke_first += first;
  unreceived += lost;
  return first || lost;
}

// TRICKY: with late READs, [READ, SEND] are carried out as SEND, READ, and [READ, fenced SEND] as READ, SEND. Both are told as posted.
bool fake_fabric::carry_out(fake_pair& from) {
  if (from.failed || !from.of->connected || is_held(from)) return false;
  auto const next = std::ranges::find_if(from.sends, [](fake_send const& each) { return !each.late && !each.outdone; });
  bool const late = !from.sends.empty() && from.sends.front().late;
  bool const fenced = late && next != from.sends.end() && has(next->request, IBV_SEND_FENCE);
  if (next != from.sends.end() && !fenced && carry_out(from, *next)) return true;
  bool const passed = std::ranges::any_of(from.sends, &fake_send::outdone);
  return !from.failed && late && (fenced || passed || !faults.late_reads) && answer_late(from);
}

bool fake_fabric::carry_out(fake_pair& from, fake_send& sent) {
  if (is_of_its_host(sent.request)) return carry_out_here(from, sent);
  fake_pair* const to = opposite(from);
  if (to == nullptr) return false;
  if (breaks_rules(from, *to, is_message(sent.request))) return disconnect(*from.of), true;
  if (is_message(sent.request)) return deliver(from, *to, sent);
  if (is_answered(sent.request) && !rules.answers_while_waiting && waits(*to)) return false;
  if (faults.late_reads && is_answered(sent.request)) return sent.late = true;
  return access(from, *to, sent), true;
}

bool fake_fabric::carry_out_here(fake_pair& from, fake_send& sent) {
  if (sent.request.opcode == IBV_WR_BIND_MW) {
    if (!memory_.bind(from, sent.binding)) return fail_pair(from, IBV_WC_MW_BIND_ERR, &sent), true;
  } else if (!memory_.invalidate(from, sent.request.invalidate_rkey)) {
    return fail_pair(from, IBV_WC_LOC_QP_OP_ERR, &sent), true;
  }
  return carried_out(from, sent), true;
}

bool fake_fabric::answer_late(fake_pair& from) {
  fake_pair* const to = opposite(from);
  if (to == nullptr) return false;
  access(from, *to, from.sends.front());
  return true;
}

void fake_fabric::release_reads() {
  for (fake_id* const id : ids_) {
    fake_pair* const of = id->pair;
    while (of != nullptr && !of->failed && !is_held(*of) && !of->sends.empty() && of->sends.front().late)
      if (!answer_late(*of)) break;
  }
  run();
}

// --- messages --------------------------------------------------------------------------------------------------------

bool fake_fabric::deliver(fake_pair& from, fake_pair& to, fake_send& sent) {
  // The adapter tries again and again.
  if (to.receives.empty() || !may_arrive(to)) return false;
  if (!memory_.permits(from.pd, sent.elements, 0)) return fail_pair(from, IBV_WC_LOC_PROT_ERR, &sent), true;
  auto const bytes = memory_.gathered(sent.elements);
  if (faults.swallow && faults.swallow(sent.request, bytes)) return carried_out(from, sent), true;
  if (on_message) on_message(sent.request, bytes);
  if (!from.failed && !to.failed) take(from, to, sent, bytes);
  return true;
}

void fake_fabric::take(fake_pair& from, fake_pair& to, fake_send& sent, std::span<std::byte const> bytes) {
  fake_receive const into = std::move(to.receives.front());
  to.receives.pop_front();
  auto const refuse = [&](ibv_wc_status here) {
    complete(to, into, here);
    fail_pair(to, IBV_WC_WR_FLUSH_ERR);
    fail_pair(from, IBV_WC_REM_OP_ERR, &sent);
  };
  if (bytes.size() > room_of(into.into)) return refuse(IBV_WC_LOC_LEN_ERR);
  if (!memory_.permits(to.pd, into.into, IBV_ACCESS_LOCAL_WRITE)) return refuse(IBV_WC_LOC_PROT_ERR);
  bool const invalidates = sent.request.opcode == IBV_WR_SEND_WITH_INV;
  if (invalidates && !memory_.invalidate(to, sent.request.invalidate_rkey)) return refuse(IBV_WC_REM_INV_REQ_ERR);
  memory_.scatter(bytes, into.into);
  to.heard = true;
  complete(to, into, IBV_WC_SUCCESS, bytes.size(), &sent);
  carried_out(from, sent);
}

// --- remote memory ---------------------------------------------------------------------------------------------------

void fake_fabric::access(fake_pair& from, fake_pair& to, fake_send& sent) {
  ibv_send_wr const request = sent.request;
  int sink = is_answered(request) ? IBV_ACCESS_LOCAL_WRITE : 0;
  if (request.opcode == IBV_WR_RDMA_READ && rules.read_sink_needs_remote_write) sink |= IBV_ACCESS_REMOTE_WRITE;
  if (!memory_.permits(from.pd, sent.elements, sink)) return fail_pair(from, IBV_WC_LOC_PROT_ERR, &sent);
  to.heard = true;
  if (request.opcode == IBV_WR_RDMA_WRITE) return write(from, to, sent);
  if (request.opcode == IBV_WR_RDMA_READ) return read(from, to, sent);
  change(from, to, sent);
}

void fake_fabric::write(fake_pair& from, fake_pair& to, fake_send& sent) {
  auto const bytes = memory_.gathered(sent.elements);
  if (faults.swallow && faults.swallow(sent.request, bytes)) return carried_out(from, sent);
  auto const& where = sent.request.wr.rdma;
  if (!bytes.empty()) {
    std::byte* const into = memory_.reached(to, where.rkey, where.remote_addr, bytes.size(), IBV_ACCESS_REMOTE_WRITE);
    if (into == nullptr) return refuse_access(from, to, sent);
    copy_by_adapter(bytes.data(), into, bytes.size());
  }
  ibv_send_wr const request = sent.request;
  carried_out(from, sent);
  if (on_remote) on_remote(request);
}

void fake_fabric::read(fake_pair& from, fake_pair& to, fake_send& sent) {
  auto const& where = sent.request.wr.rdma;
  std::vector<std::byte> bytes(room_of(sent.elements));
  if (!bytes.empty()) {
    std::byte const* const out = memory_.reached(to, where.rkey, where.remote_addr, bytes.size(), IBV_ACCESS_REMOTE_READ);
    if (out == nullptr) return refuse_access(from, to, sent);
    copy_by_adapter(out, bytes.data(), bytes.size());
    memory_.scatter(bytes, sent.elements);
  }
  ibv_send_wr const request = sent.request;
  carried_out(from, sent);
  if (on_remote) on_remote(request);
}

void fake_fabric::change(fake_pair& from, fake_pair& to, fake_send& sent) {
  ibv_send_wr const request = sent.request;
  auto const& what = request.wr.atomic;
  std::byte* const word = memory_.reached(to, what.rkey, what.remote_addr, word_bytes, IBV_ACCESS_REMOTE_ATOMIC);
  if (word == nullptr) return refuse_access(from, to, sent);
  if ((what.remote_addr | reinterpret_cast<std::uintptr_t>(word)) % word_bytes != 0) {
    fail_pair(from, IBV_WC_REM_INV_REQ_ERR, &sent);
    return fail_pair(to, IBV_WC_WR_FLUSH_ERR);
  }
  std::array<std::byte, word_bytes> before{}, after{};
  copy_by_adapter(word, before.data(), word_bytes);
  std::uint64_t value = 0;
  std::memcpy(&value, before.data(), word_bytes);
  bool const adds = request.opcode == IBV_WR_ATOMIC_FETCH_AND_ADD;
  std::uint64_t const swapped = value == what.compare_add ? what.swap : value;
  value = adds ? value + what.compare_add : swapped;
  std::memcpy(after.data(), &value, word_bytes);
  copy_by_adapter(after.data(), word, word_bytes);
  memory_.scatter(before, sent.elements);
  carried_out(from, sent);
  if (on_remote) on_remote(request);
}

void fake_fabric::refuse_access(fake_pair& from, fake_pair& to, fake_send& sent) {
  if (rules.tells_refusal) {
    fail_pair(from, IBV_WC_REM_ACCESS_ERR, &sent);
    return fail_pair(to, IBV_WC_WR_FLUSH_ERR);
  }
  // A WRITE is done when it left; what comes back is a Terminate message.
  if (sent.request.opcode == IBV_WR_RDMA_WRITE) carried_out(from, sent);
  disconnect(*from.of);
}

}  // namespace rdsco::test
