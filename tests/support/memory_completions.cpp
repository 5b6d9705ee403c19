// SPDX-License-Identifier: BSD-2-Clause
#include "support/memory_backend.hpp"

#include <rdsco/detail/check.hpp>

#include <algorithm>
#include <cerrno>

namespace rdsco::test {

using detail::io_handle;
using detail::readiness;

std::optional<std::int32_t> memory_backend::attempt(pending& one) noexcept {
  auto const unless_waiting = [](std::ptrdiff_t result) -> std::optional<std::int32_t> {
    if (result == -EAGAIN || result == -EINPROGRESS) return std::nullopt;
    return static_cast<std::int32_t>(result);
  };
  if (one.cancelled) return -ECANCELED;
  switch (one.what) {
    case kind::accept: return attempt_accept(one);
    case kind::connect: return unless_waiting(network_.connect(streams_.at(one.handle), one.peer));
    case kind::send:
      return unless_waiting(try_send(io_handle(one.handle), static_cast<detail::send_operation&>(*one.operation).from));
    case kind::receive: return attempt_receive(one);
    case kind::ready:
    case kind::watch: return attempt_ready(one);
  }
  return std::nullopt;
}

std::optional<std::int32_t> memory_backend::attempt_accept(pending& one) noexcept {
  listening_end& listener = *listeners_.at(one.handle);
  if (listener.waiting.empty()) return std::nullopt;
  auto& operation = static_cast<detail::accept_operation&>(*one.operation);
  operation.local = listener.waiting.front()->local;
  operation.peer = listener.waiting.front()->peer;
  operation.stream = own(std::move(listener.waiting.front()));
  listener.waiting.pop_front();
  return 0;
}

std::optional<std::int32_t> memory_backend::attempt_receive(pending& one) noexcept {
  auto& operation = static_cast<detail::receive_operation&>(*one.operation);
  std::ptrdiff_t received = 0;
  if (!operation.into.empty()) {
    received = try_receive(io_handle(one.handle), operation.into);
  } else {
    if (lent_.size() >= lent_max) return std::nullopt;
    std::vector<std::byte> memory(std::min<std::size_t>(network_.buffer_bytes, 64 * 1024));
    mutable_buffer const into(memory);
    received = try_receive(io_handle(one.handle), std::span<mutable_buffer const>(&into, 1));
    if (received > 0) {
      operation.lent = ++last_lent_;
      operation.bytes = const_buffer(into).first(static_cast<std::size_t>(received));
      lent_.emplace(operation.lent, std::move(memory));
    }
  }
  if (received == -EAGAIN) return std::nullopt;
  return static_cast<std::int32_t>(received);
}

std::optional<std::int32_t> memory_backend::attempt_ready(pending& one) noexcept {
  // Errors are always reported, as poll() does.
  auto const bits = static_cast<unsigned>(readiness_of(one.handle)) &
                    (static_cast<unsigned>(one.wanted) | static_cast<unsigned>(readiness::error));
  if (bits == 0) return std::nullopt;
  if (one.what == kind::watch) {
    std::uint64_t const changes = changes_of(one.handle);
    if (changes == one.changes_seen) return std::nullopt;
    one.changes_seen = changes;
  }
  return static_cast<std::int32_t>(bits);
}

bool memory_backend::poll_completions() noexcept {
  network_.deliver();
  bool any = false;
  // Operations started by a completion wait for the next call.
  std::uint32_t const last = last_number_;
  for (std::size_t at = 0; at < pending_.size() && pending_[at].number <= last;) {
    auto const result = attempt(pending_[at]);
    if (!result) {
      ++at;
      continue;
    }
    any = true;
    ++counters_.completions;
    pending const one = pending_[at];
    bool const goes_on = one.what == kind::watch && !one.cancelled;
    if (goes_on)
      ++at;
    else
      pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(at));
    one.operation->in_flight = goes_on;
    one.operation->result = *result;
    one.operation->completed(*one.operation);
  }
  return any;
}

bool memory_backend::could_complete() noexcept {
  network_.deliver();
  auto const ready = [&](pending const& one) {
    if (one.cancelled) return true;
    auto const now = readiness_of(one.handle);
    switch (one.what) {
      case kind::accept: return includes(now, readiness::readable);
      case kind::receive: {
        bool const lends = static_cast<detail::receive_operation&>(*one.operation).into.empty();
        return includes(now, readiness::readable) && !(lends && lent_.size() >= lent_max);
      }
      case kind::send: return includes(now, readiness::writable);
      case kind::connect: return !network_.unanswered(*streams_.at(one.handle), one.peer);
      case kind::ready: return includes(now, one.wanted | readiness::error);
      case kind::watch: return includes(now, one.wanted | readiness::error) && changes_of(one.handle) != one.changes_seen;
    }
    return false;
  };
  return std::any_of(pending_.begin(), pending_.end(), ready);
}

void memory_backend::wait(std::optional<duration> timeout) noexcept {
  if (timeout == duration::zero()) return;
  ++counters_.waits;
  if (woken_.exchange(false) || could_complete()) return;
  RDSCO_CHECK(timeout.has_value(), "this loop waits for ever: nothing is left that could happen");
  network_.clock().advance(*timeout);
}

}  // namespace rdsco::test
