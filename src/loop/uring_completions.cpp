// SPDX-License-Identifier: BSD-2-Clause
#include "loop/stream_socket.hpp"
#include "loop/uring_backend.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <tuple>

namespace rdsco::detail {
namespace {

constexpr int batches_max = 16;  // of one reaping, so that a busy ring does not keep the loop from its coroutines

std::int32_t readiness_of(std::int32_t events) noexcept {
  unsigned bits = 0;
  auto const mask = static_cast<unsigned>(events);
  if ((mask & (POLLIN | POLLRDHUP)) != 0) bits |= static_cast<unsigned>(readiness::readable);
  if ((mask & POLLOUT) != 0) bits |= static_cast<unsigned>(readiness::writable);
  if ((mask & (POLLERR | POLLHUP)) != 0) bits |= static_cast<unsigned>(readiness::error);
  return static_cast<std::int32_t>(bits);
}

bool passing(std::int32_t result) noexcept { return result == -EINTR || result == -EAGAIN; }

}  // namespace

bool uring_backend::poll_completions() noexcept {
  bool any = complete_ended();
  ring_.collect();
  std::array<ring_completion, 64> batch;
  for (int i = 0; i < batches_max; ++i) {
    std::size_t const count = ring_.take(batch);
    for (std::size_t at = 0; at < count; ++at) complete(batch[at]);
    any |= count > 0;
    if (count < batch.size()) break;
  }
  return any;
}

void uring_backend::complete(ring_completion const& one) noexcept {
  ++counters_.completions;
  ring_tag const tag(one.user_data);
  switch (tag.purpose) {
    case ring_purpose::slot:
      if (ring_slot* const slot = slots_.find(tag.index, tag.generation))
        complete_slot(*slot, one);
      else
        ++counters_.stale;
      return;
    case ring_purpose::cancel:
      // Not found, or too late: most often the target's completion is on its way. If not, the kernel was about to try the
      // operation again and may yet put it to sleep; asking again next turn makes sure.
      if (one.result < 0 && slots_.find(tag.index, tag.generation) != nullptr)
        cancels_.emplace_back(tag.index, tag.generation, ring_purpose::slot);
      return;
    case ring_purpose::wake: return woken((one.flags & IORING_CQE_F_MORE) != 0);
    case ring_purpose::deadline:
      if (tag.generation == deadline_generation_) deadline_.reset();
      return;
  }
}

void uring_backend::complete_slot(ring_slot& slot, ring_completion const& one) noexcept {
  switch (slot.kind) {
    case slot_kind::watch: return complete_watch(slot, one);
    case slot_kind::receive_lent: return complete_lent(slot, one);
    case slot_kind::wait_ready: return finish(slot, one.result < 0 ? one.result : readiness_of(one.result));
    case slot_kind::accept:
      if (one.result >= 0) take_stream(slot, one.result);
      return finish(slot, one.result < 0 ? one.result : 0);
    case slot_kind::send:
    case slot_kind::receive_into:
      if (passing(one.result) && !slot.cancel_requested) return start(slot);
      return finish(slot, passing(one.result) ? -ECANCELED : one.result);
    case slot_kind::connect: return finish(slot, one.result);
  }
}

void uring_backend::complete_watch(ring_slot& slot, ring_completion const& one) noexcept {
  bool const armed_still = (one.flags & IORING_CQE_F_MORE) != 0;
  if (one.result < 0) return finish(slot, one.result);
  if (slot.cancel_requested) {
    if (!armed_still) finish(slot, -ECANCELED);
    return;
  }
  if (!armed_still) start(slot);
  slot.operation->result = readiness_of(one.result);
  slot.operation->completed(*slot.operation);
}

void uring_backend::complete_lent(ring_slot& slot, ring_completion const& one) noexcept {
  if (!buffers_.kernel_picks()) return one.result < 0 ? finish(slot, one.result) : receive_by_hand(slot);
  if ((one.flags & IORING_CQE_F_BUFFER) != 0) {
    auto const buffer = static_cast<std::uint16_t>(one.flags >> IORING_CQE_BUFFER_SHIFT);
    buffers_.picked(buffer);
    if (one.result > 0) return lend(slot, buffer, one.result);
    buffers_.give_back(buffer);
  }
  if (slot.cancel_requested && (passing(one.result) || one.result == -ENOBUFS)) return finish(slot, -ECANCELED);
  if (one.result == -ENOBUFS) return starve(slot);
  if (passing(one.result)) return start(slot);
  finish(slot, one.result);
}

void uring_backend::lend(ring_slot& slot, std::uint16_t buffer, std::int32_t bytes) noexcept {
  auto& operation = static_cast<receive_operation&>(*slot.operation);
  operation.lent = buffer + 1U;
  operation.bytes = const_buffer(buffers_.at(buffer)).first(static_cast<std::size_t>(bytes));
  finish(slot, bytes);
}

void uring_backend::receive_by_hand(ring_slot& slot) noexcept {
  auto const buffer = buffers_.pick();
  if (!buffer) return starve(slot);
  mutable_buffer const into = buffers_.at(*buffer);
  auto const received =
      static_cast<std::int32_t>(try_receive(io_handle(slot.descriptor), std::span<mutable_buffer const>(&into, 1)));
  if (received > 0) return lend(slot, *buffer, received);
  buffers_.give_back(*buffer);
  if (received != -EAGAIN) return finish(slot, received);
  if (slot.cancel_requested) return finish(slot, -ECANCELED);
  start(slot);
}

void uring_backend::starve(ring_slot& slot) noexcept {
  // Buffers may have come back since the kernel looked.
  if (!buffers_.all_lent()) return start(slot);
  ++counters_.starved;
  slot.state = slot_state::starved;
  starved_.push_back(tag_of(slot));
}

// As many as there are buffers. Those among them that end without one, or find nothing to receive, leave it to the next: as
// long as some starve beside free buffers the loop does not sleep, and feeds again.
void uring_backend::feed_starved() noexcept {
  if (!can_feed()) return;
  std::size_t const count = std::min(starved_.size(), buffers_.not_lent());
  for (std::size_t at = 0; at < count; ++at) start(*slots_.find(starved_[at].index, starved_[at].generation));
  starved_.erase(starved_.begin(), starved_.begin() + static_cast<std::ptrdiff_t>(count));
}

void uring_backend::end_later(ring_slot& slot, std::int32_t result) noexcept {
  slot.state = slot_state::ended;
  slot.result = result;
  ended_.push_back(tag_of(slot));
}

bool uring_backend::complete_ended() noexcept {
  if (ended_.empty()) return false;
  std::swap(ended_, ending_);
  for (ring_tag const tag : ending_) {
    ring_slot& slot = *slots_.find(tag.index, tag.generation);
    finish(slot, slot.result);
  }
  ending_.clear();
  return true;
}

void uring_backend::finish(ring_slot& slot, std::int32_t result) noexcept {
  io_operation& operation = *slot.operation;
  --state_of(slot.descriptor).in_flight;
  slots_.release(slot);
  operation.result = result;
  operation.completed(operation);  // may be gone afterwards
}

void uring_backend::take_stream(ring_slot& slot, int descriptor) noexcept {
  auto& operation = static_cast<accept_operation&>(*slot.operation);
  tune_stream(descriptor, slot.tuning);
  operation.stream = own(descriptor);
  operation.local = socket_ends(descriptor).first;
  // A peer that has reset the stream meanwhile is no longer known to the socket, but to the accept; its bytes can still be read.
  operation.peer = slot.peer.to_endpoint();
}

}  // namespace rdsco::detail
