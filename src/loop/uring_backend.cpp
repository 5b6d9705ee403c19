// SPDX-License-Identifier: BSD-2-Clause
#include "loop/uring_backend.hpp"

#include "loop/stream_socket.hpp"

#include <rdsco/detail/check.hpp>

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace rdsco::detail {
namespace {

int descriptor_of(io_handle handle) noexcept { return static_cast<int>(handle.value); }

unsigned poll_mask(readiness what) noexcept {
  unsigned mask = 0;
  if (includes(what, readiness::readable)) mask |= POLLIN | POLLRDHUP;
  if (includes(what, readiness::writable)) mask |= POLLOUT;
  if (includes(what, readiness::error)) mask |= POLLERR;
  return mask;
}

void erase_tag(std::vector<ring_tag>& from, ring_tag tag) noexcept {
  std::erase_if(from, [&](ring_tag each) { return each.bits() == tag.bits(); });
}

}  // namespace

std::unique_ptr<io_backend> make_uring_backend(loop_options const& options) { return std::make_unique<uring_backend>(options); }

uring_backend::uring_backend(loop_options const& options)
    : ring_(options.ring_entries, options.completion_entries, counters_), buffers_(options.receive_buffers) {}

uring_backend::~uring_backend() = default;

int uring_backend::listen(endpoint const& local, int backlog, io_handle& out) noexcept {
  int descriptor = -1;
  if (int const failed = listen_socket(local, backlog, descriptor)) return failed;
  out = own(descriptor);
  return 0;
}

int uring_backend::open_stream(address const& local, stream_tuning const& tuning, io_handle& out) noexcept {
  int descriptor = -1;
  if (int const failed = open_stream_socket(local, tuning, descriptor)) return failed;
  out = own(descriptor);
  return 0;
}

void uring_backend::accept(io_handle listener, stream_tuning const& tuning, accept_operation& operation) noexcept {
  ring_slot& slot = begin(operation, slot_kind::accept, listener);
  slot.tuning = tuning;
  slot.peer.length = sizeof slot.peer.storage;
  start(slot);
}

void uring_backend::connect(io_handle stream, endpoint const& peer, io_operation& operation) noexcept {
  ring_slot& slot = begin(operation, slot_kind::connect, stream);
  slot.peer = socket_address(peer);
  start(slot);
}

std::ptrdiff_t uring_backend::try_send(io_handle stream, std::span<const_buffer const> from) noexcept {
  ++counters_.system_calls;
  return try_send_on(descriptor_of(stream), from);
}

std::ptrdiff_t uring_backend::try_receive(io_handle stream, std::span<mutable_buffer const> into) noexcept {
  ++counters_.system_calls;
  return try_receive_on(descriptor_of(stream), into);
}

void uring_backend::send(io_handle stream, send_operation& operation) noexcept {
  start(begin(operation, slot_kind::send, stream));
}

void uring_backend::receive(io_handle stream, receive_operation& operation) noexcept {
  RDSCO_CHECK(operation.lent == 0, "a receive was started before its lent bytes were given back");
  operation.bytes = {};
  if (!operation.into.empty()) return start(begin(operation, slot_kind::receive_into, stream));
  ring_slot& slot = begin(operation, slot_kind::receive_lent, stream);
  if (int const failed = buffers_.prepare(ring_)) return end_later(slot, failed);
  start(slot);
}

void uring_backend::release_received(receive_operation& operation) noexcept {
  if (operation.lent == 0) return;
  buffers_.give_back(static_cast<std::uint16_t>(operation.lent - 1));
  operation.lent = 0;
  operation.bytes = {};
  feed_starved();
}

void uring_backend::wait_ready(io_handle handle, readiness what, io_operation& operation) noexcept {
  ring_slot& slot = begin(operation, slot_kind::wait_ready, handle);
  slot.poll_mask = poll_mask(what);
  start(slot);
}

void uring_backend::watch(io_handle handle, readiness what, watch_operation& operation) noexcept {
  ring_slot& slot = begin(operation, slot_kind::watch, handle);
  slot.poll_mask = poll_mask(what);
  start(slot);
}

std::size_t uring_backend::unread(io_handle stream) noexcept {
  ++counters_.system_calls;
  return unread_on(descriptor_of(stream));
}

std::optional<std::size_t> uring_backend::unacknowledged(io_handle stream) noexcept {
  ++counters_.system_calls;
  return unacknowledged_on(descriptor_of(stream));
}

bool uring_backend::enable_acknowledgement_events(io_handle stream) noexcept {
  return state_of(descriptor_of(stream)).acknowledgements.enable(descriptor_of(stream));
}

std::optional<std::uint64_t> uring_backend::next_acknowledgement(io_handle stream) noexcept {
  ++counters_.system_calls;
  return state_of(descriptor_of(stream)).acknowledgements.next(descriptor_of(stream));
}

std::pair<endpoint, endpoint> uring_backend::ends(io_handle handle) noexcept { return socket_ends(descriptor_of(handle)); }

int uring_backend::shutdown_send(io_handle stream) noexcept {
  return ::shutdown(descriptor_of(stream), SHUT_WR) == 0 ? 0 : -errno;
}

void uring_backend::close(io_handle handle, bool reset) noexcept {
  if (!handle) return;
  descriptor_state& state = state_of(descriptor_of(handle));
  RDSCO_CHECK(state.in_flight == 0, "a handle was closed with operations in flight");
  if (!state.adopted) close_socket(descriptor_of(handle), reset);
  state.adopted = false;
}

io_handle uring_backend::adopt(int descriptor) noexcept {
  if (descriptor < 0) return {};
  io_handle const handle = own(descriptor);
  state_of(descriptor).adopted = true;
  return handle;
}

void uring_backend::cancel(io_operation& operation) noexcept {
  if (!operation.in_flight) return;
  ring_slot& slot = slots_.of(operation);
  if (slot.cancel_requested || slot.state == slot_state::ended) return;
  slot.cancel_requested = true;
  if (slot.state == slot_state::submitted) return start_cancel(tag_of(slot));
  erase_tag(slot.state == slot_state::deferred ? deferred_ : starved_, tag_of(slot));
  end_later(slot, -ECANCELED);
}

ring_tag uring_backend::tag_of(ring_slot const& slot) noexcept {
  return {slot.operation->slot.index, slot.generation, ring_purpose::slot};
}

uring_backend::descriptor_state& uring_backend::state_of(int descriptor) noexcept {
  auto const number = static_cast<std::size_t>(descriptor);
  if (number >= descriptors_.size()) descriptors_.resize(number + 1);
  return descriptors_[number];
}

io_handle uring_backend::own(int descriptor) noexcept {
  state_of(descriptor) = descriptor_state();
  return io_handle(descriptor);
}

ring_slot& uring_backend::begin(io_operation& operation, slot_kind kind, io_handle handle) noexcept {
  ++state_of(descriptor_of(handle)).in_flight;
  return slots_.acquire(operation, kind, descriptor_of(handle));
}

void uring_backend::start(ring_slot& slot) noexcept {
  io_uring_sqe* const entry = ring_.next_entry();
  if (entry == nullptr) {
    slot.state = slot_state::deferred;
    ++counters_.deferred;
    deferred_.push_back(tag_of(slot));
    return;
  }
  slot.state = slot_state::submitted;
  ++counters_.submissions;
  prepare(slot, *entry);
  io_uring_sqe_set_data64(entry, tag_of(slot).bits());
}

void uring_backend::prepare(ring_slot& slot, io_uring_sqe& entry) noexcept {
  switch (slot.kind) {
    case slot_kind::accept: return io_uring_prep_accept(&entry, slot.descriptor, slot.peer.data(), &slot.peer.length, SOCK_CLOEXEC);
    case slot_kind::connect: return io_uring_prep_connect(&entry, slot.descriptor, slot.peer.data(), slot.peer.length);
    case slot_kind::send:
    case slot_kind::receive_into: return prepare_message(slot, entry);
    case slot_kind::receive_lent: return prepare_lent(slot, entry);
    case slot_kind::wait_ready: return io_uring_prep_poll_add(&entry, slot.descriptor, slot.poll_mask);
    case slot_kind::watch: return io_uring_prep_poll_multishot(&entry, slot.descriptor, slot.poll_mask);
  }
}

void uring_backend::prepare_message(ring_slot& slot, io_uring_sqe& entry) noexcept {
  slot.message = msghdr{};
  slot.message.msg_iov = slot.parts.data();
  std::span<iovec> const parts(slot.parts);
  if (slot.kind == slot_kind::send) {
    slot.message.msg_iovlen = fill_iovecs(static_cast<send_operation&>(*slot.operation).from, parts);
    io_uring_prep_sendmsg(&entry, slot.descriptor, &slot.message, MSG_NOSIGNAL);
  } else {
    slot.message.msg_iovlen = fill_iovecs(static_cast<receive_operation&>(*slot.operation).into, parts);
    io_uring_prep_recvmsg(&entry, slot.descriptor, &slot.message, 0);
  }
}

void uring_backend::prepare_lent(ring_slot& slot, io_uring_sqe& entry) noexcept {
  if (!buffers_.kernel_picks()) return io_uring_prep_poll_add(&entry, slot.descriptor, POLLIN | POLLRDHUP);
  io_uring_prep_recv(&entry, slot.descriptor, nullptr, buffers_.bytes_each(), 0);
  entry.flags |= IOSQE_BUFFER_SELECT;
  entry.buf_group = receive_buffers::group;
}

void uring_backend::start_cancel(ring_tag target) noexcept {
  io_uring_sqe* const entry = ring_.next_entry();
  if (entry == nullptr) {
    ++counters_.deferred;
    cancels_.push_back(target);
    return;
  }
  ++counters_.submissions;
  io_uring_prep_cancel64(entry, target.bits(), 0);
  io_uring_sqe_set_data64(entry, ring_tag(target.index, target.generation, ring_purpose::cancel).bits());
}

void uring_backend::retry_deferred() noexcept {
  if (deferred_.empty() && cancels_.empty()) return;
  // What finds no room again goes back on the list, behind its elders.
  auto const submissions = std::exchange(deferred_, {});
  for (ring_tag const tag : submissions) start(*slots_.find(tag.index, tag.generation));
  auto const cancels = std::exchange(cancels_, {});
  for (ring_tag const tag : cancels)
    if (slots_.find(tag.index, tag.generation) != nullptr) start_cancel(tag);
}

}  // namespace rdsco::detail
