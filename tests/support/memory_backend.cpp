// SPDX-License-Identifier: BSD-2-Clause
#include "support/memory_backend.hpp"

#include <rdsco/detail/check.hpp>

#include <algorithm>
#include <cerrno>

namespace rdsco::test {

using detail::io_handle;
using detail::readiness;

namespace {

std::size_t total_bytes(auto const& buffers) noexcept {
  std::size_t total = 0;
  for (auto const& each : buffers) total += each.size();
  return total;
}

}  // namespace

detail::seams memory_seams(memory_network& network) {
  return detail::seams(std::make_unique<memory_backend>(network), &network.clock());
}

memory_backend::~memory_backend() {
  for (auto& [number, end] : streams_) network_.close(*end, true);
  for (auto& [number, listener] : listeners_) network_.unlisten(*listener);
}

stream_end& memory_backend::stream(io_handle handle) noexcept {
  auto const found = streams_.find(handle.value);
  RDSCO_CHECK(found != streams_.end(), "this is not an open stream of this backend");
  return *found->second;
}

io_handle memory_backend::own(std::shared_ptr<stream_end> end) noexcept {
  io_handle const handle(++last_handle_);
  streams_.emplace(handle.value, std::move(end));
  return handle;
}

int memory_backend::listen(endpoint const& local, int backlog, io_handle& out) noexcept {
  std::shared_ptr<listening_end> listener;
  if (int const failed = network_.listen(local, static_cast<std::size_t>(backlog), listener)) return failed;
  out = io_handle(++last_handle_);
  listeners_.emplace(out.value, std::move(listener));
  return 0;
}

int memory_backend::open_stream(address const& local, detail::stream_tuning const& tuning, io_handle& out) noexcept {
  out = own(network_.open(local, tuning));
  return 0;
}

void memory_backend::start(detail::io_operation& operation, kind what, io_handle handle, readiness wanted,
                           endpoint const& peer) noexcept {
  RDSCO_CHECK(!operation.in_flight, "an operation was started twice");
  operation.in_flight = true;
  operation.result = 0;
  operation.slot.index = ++last_number_;
  ++counters_.submissions;
  pending_.push_back(pending{&operation, what, handle.value, wanted, peer, ~std::uint64_t{0}, false, last_number_});
}

void memory_backend::accept(io_handle listener, detail::stream_tuning const&, detail::accept_operation& operation) noexcept {
  start(operation, kind::accept, listener);
}
void memory_backend::connect(io_handle stream, endpoint const& peer, detail::io_operation& operation) noexcept {
  start(operation, kind::connect, stream, readiness::writable, peer);
}
void memory_backend::send(io_handle stream, detail::send_operation& operation) noexcept { start(operation, kind::send, stream); }
void memory_backend::receive(io_handle stream, detail::receive_operation& operation) noexcept {
  operation.bytes = {};
  start(operation, kind::receive, stream);
}
void memory_backend::wait_ready(io_handle handle, readiness what, detail::io_operation& operation) noexcept {
  start(operation, kind::ready, handle, what);
}
void memory_backend::watch(io_handle handle, readiness what, detail::watch_operation& operation) noexcept {
  start(operation, kind::watch, handle, what);
}

std::ptrdiff_t memory_backend::try_send(io_handle handle, std::span<const_buffer const> from) noexcept {
  stream_end& end = stream(handle);
  network_.deliver();
  if (end.reset) return -ECONNRESET;
  if (!end.connected) return -ENOTCONN;
  if (end.end_wanted) return -EPIPE;
  std::size_t const room = std::min(end.outgoing_max - std::min(end.outgoing_max, end.outgoing.size()), network_.piece_bytes_max);
  if (room == 0) return total_bytes(from) == 0 ? 0 : -EAGAIN;
  std::size_t taken = 0;
  for (const_buffer part : from) {
    part = part.first(std::min(part.size(), room - taken));
    end.outgoing.insert(end.outgoing.end(), part.begin(), part.end());
    taken += part.size();
  }
  network_.deliver();
  return static_cast<std::ptrdiff_t>(taken);
}

std::ptrdiff_t memory_backend::try_receive(io_handle handle, std::span<mutable_buffer const> into) noexcept {
  stream_end& end = stream(handle);
  network_.deliver();
  std::size_t const available = std::min(end.incoming.size(), network_.piece_bytes_max);
  std::size_t taken = 0;
  for (mutable_buffer part : into) {
    part = part.first(std::min(part.size(), available - taken));
    auto const stop = end.incoming.begin() + static_cast<std::ptrdiff_t>(part.size());
    std::copy(end.incoming.begin(), stop, part.begin());
    end.incoming.erase(end.incoming.begin(), stop);
    taken += part.size();
  }
  network_.deliver();
  if (taken > 0) return static_cast<std::ptrdiff_t>(taken);
  if (end.end_of_stream) return 0;  // stays the answer, even if a reset follows
  if (end.reset) return -ECONNRESET;
  return end.connected ? -EAGAIN : -ENOTCONN;
}

void memory_backend::release_received(detail::receive_operation& operation) noexcept {
  lent_.erase(operation.lent);
  operation.lent = 0;
  operation.bytes = {};
}

std::size_t memory_backend::unread(io_handle handle) noexcept { return stream(handle).incoming.size(); }

std::optional<std::size_t> memory_backend::unacknowledged(io_handle handle) noexcept { return stream(handle).outgoing.size(); }

bool memory_backend::enable_acknowledgement_events(io_handle handle) noexcept {
  stream_end& end = stream(handle);
  end.acknowledgement_events = true;
  end.acknowledged = end.acknowledged_reported = 0;
  return true;
}

std::optional<std::uint64_t> memory_backend::next_acknowledgement(io_handle handle) noexcept {
  stream_end& end = stream(handle);
  if (!end.acknowledgement_events || end.acknowledged == end.acknowledged_reported) return std::nullopt;
  return end.acknowledged_reported = end.acknowledged;
}

std::pair<endpoint, endpoint> memory_backend::ends(io_handle handle) noexcept {
  if (auto const found = listeners_.find(handle.value); found != listeners_.end()) return {found->second->local, endpoint()};
  return {stream(handle).local, stream(handle).peer};
}

int memory_backend::shutdown_send(io_handle handle) noexcept {
  stream_end& end = stream(handle);
  if (!end.connected || end.reset) return -ENOTCONN;
  end.end_wanted = true;
  network_.deliver();
  return 0;
}

void memory_backend::close(io_handle handle, bool reset) noexcept {
  bool const busy = std::any_of(pending_.begin(), pending_.end(), [&](pending const& one) { return one.handle == handle.value; });
  RDSCO_CHECK(!busy, "a handle was closed with operations in flight");
  if (auto const found = streams_.find(handle.value); found != streams_.end()) {
    network_.close(*found->second, reset);
    streams_.erase(found);
  }
  if (auto const found = listeners_.find(handle.value); found != listeners_.end()) {
    network_.unlisten(*found->second);
    listeners_.erase(found);
  }
}

void memory_backend::cancel(detail::io_operation& operation) noexcept {
  for (pending& one : pending_)
    if (one.operation == &operation) one.cancelled = true;
}

readiness memory_backend::readiness_of(std::intptr_t handle) const noexcept {
  unsigned bits = 0;
  auto const set = [&](bool on, readiness one) { bits |= on ? static_cast<unsigned>(one) : 0; };
  if (auto const found = listeners_.find(handle); found != listeners_.end()) {
    set(!found->second->waiting.empty(), readiness::readable);
    return static_cast<readiness>(bits);
  }
  stream_end const& end = *streams_.at(handle);
  set(!end.incoming.empty() || end.end_of_stream || end.reset, readiness::readable);
  set((end.connected && end.outgoing.size() < end.outgoing_max) || end.reset, readiness::writable);
  set(end.reset || (end.acknowledgement_events && end.acknowledged != end.acknowledged_reported), readiness::error);
  return static_cast<readiness>(bits);
}

std::uint64_t memory_backend::changes_of(std::intptr_t handle) const noexcept {
  if (auto const found = listeners_.find(handle); found != listeners_.end()) return found->second->changes;
  return streams_.at(handle)->changes;
}

}  // namespace rdsco::test
