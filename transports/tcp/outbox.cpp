// SPDX-License-Identifier: BSD-2-Clause
#include "transports/tcp/outbox.hpp"

#include "memory/block_pool.hpp"
#include "node/datagram_header.hpp"

#include <cerrno>
#include <cstring>

namespace rdsco::detail {

outbox::~outbox() { clear(); }

bool outbox::has_room() noexcept {
  if (staging_ == nullptr) staging_ = static_cast<std::byte*>(pool_.allocate(staging_bytes));
  if (staging_ == nullptr) return false;
  std::size_t const largest = protocol::header_bytes + copied_below;
  return staged_ + largest <= staging_bytes && segments_.size() + 2 <= segments_max;
}

// Runs of staged bytes that follow each other are one segment.
std::byte* outbox::stage(std::size_t bytes) noexcept {
  if (segments_.empty() || segments_.back().from != nullptr) segments_.push_back({nullptr, staged_, 0});
  segments_.back().length += bytes;
  std::byte* const at = staging_ + staged_;
  staged_ += bytes;
  stream_bytes_ += bytes;
  return at;
}

void outbox::stage_header(protocol::header const& head) noexcept {
  protocol::encode(head, std::span<std::byte, protocol::header_bytes>(stage(protocol::header_bytes), protocol::header_bytes));
}

void outbox::put(path& lane, datagram& head, std::uint64_t ack) noexcept {
  lane.begin_transmit(head);
  // Over TCP kernels never ask for an acknowledgement, so only another rdsco node is asked.
  stage_header(header_of(head, ack, lane.mode == acknowledgement_mode::frames));
  head.stream_end = stream_bytes_ + head.length;
  if (head.length >= copied_below) {
    segments_.push_back({&head, 0, head.length});
    stream_bytes_ += head.length;
    return;
  }
  if (head.length != 0) {
    const_buffer one;
    std::byte* to = stage(head.length);
    for (auto const& part : head.parts(one)) {
      if (!part.empty()) std::memcpy(to, part.data(), part.size());
      to += part.size();
    }
  }
  lane.end_transmit(head);
}

void outbox::put_map(protocol::congestion_map const& map) noexcept {
  static_assert(protocol::congestion_map_bytes <= copied_below);
  protocol::header made;
  made.length = protocol::congestion_map_bytes;
  made.flags = protocol::flag::congestion_bitmap;
  stage_header(made);
  std::memcpy(stage(protocol::congestion_map_bytes), map.wire().data(), protocol::congestion_map_bytes);
}

void outbox::put_acknowledgement(std::uint64_t ack) noexcept {
  protocol::header made;
  made.ack = ack;
  stage_header(made);
}

std::size_t outbox::gather(std::vector<const_buffer>& into) const noexcept {
  into.clear();
  std::size_t total = 0;
  for (std::size_t index = first_; index < segments_.size(); ++index) {
    segment const& each = segments_[index];
    total += each.length;
    if (each.from == nullptr) {
      into.push_back({staging_ + each.at, each.length});
      continue;
    }
    // What is left of a payload that may itself be a list.
    const_buffer one;
    std::size_t skip = each.at;
    for (auto const& part : each.from->parts(one)) {
      if (skip < part.size()) into.push_back(part.subspan(skip));
      skip -= std::min(skip, part.size());
    }
  }
  return total;
}

void outbox::consume(path& lane, std::size_t bytes) noexcept {
  sent_bytes_ += bytes;
  while (first_ < segments_.size()) {
    segment& here = segments_[first_];
    std::size_t const count = std::min(bytes, here.length);
    here.at += count;
    here.length -= count;
    bytes -= count;
    if (here.length != 0) return;
    if (here.from != nullptr) lane.end_transmit(*here.from);
    ++first_;
  }
  segments_.clear();
  first_ = 0;
  staged_ = 0;
}

std::ptrdiff_t outbox::flush(path& lane, io_backend& io, io_handle stream) noexcept {
  std::ptrdiff_t taken = 0;
  while (!segments_.empty()) {
    std::size_t const wanted = gather(buffers_);
    std::span<const_buffer const> const offered(buffers_.data(), std::min(buffers_.size(), io_backend::buffers_per_call));
    std::ptrdiff_t const sent = io.try_send(stream, offered);
    if (sent < 0) return sent == -EAGAIN ? taken : sent;
    taken += sent;
    consume(lane, static_cast<std::size_t>(sent));
    // TCP took less than it was offered: its buffer is full.
    if (static_cast<std::size_t>(sent) < wanted && offered.size() == buffers_.size()) return taken;
  }
  return taken;
}

void outbox::clear() noexcept {
  segments_.clear();
  first_ = 0;
  staged_ = 0;
  rest();
}

void outbox::rest() noexcept {
  if (staging_ == nullptr || !segments_.empty()) return;
  pool_.release(staging_);
  staging_ = nullptr;
}

}  // namespace rdsco::detail
