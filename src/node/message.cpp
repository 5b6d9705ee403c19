// SPDX-License-Identifier: BSD-2-Clause
#include <rdsco/message.hpp>

#include "node/datagram.hpp"
#include "node/remote_extensions.hpp"
#include "node/socket_core.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace rdsco {

message::message(message&& other) noexcept : lent_(std::exchange(other.lent_, nullptr)) {}

message& message::operator=(message&& other) noexcept {
  if (this == &other) return *this;
  release();
  lent_ = std::exchange(other.lent_, nullptr);
  return *this;
}

message::~message() { release(); }

void message::release() noexcept {
  if (lent_ == nullptr) return;
  detail::datagram& mine = *std::exchange(lent_, nullptr);
  mine.owner->give_back(mine);
}

std::size_t message::size() const noexcept { return lent_ == nullptr ? 0 : lent_->length; }

endpoint message::from() const noexcept { return lent_ == nullptr ? endpoint() : endpoint(lent_->from, lent_->source_port); }

const_buffers message::payload() const noexcept { return lent_ == nullptr ? const_buffers() : const_buffers(lent_->contiguous()); }

const_buffer message::contiguous(std::vector<std::byte>&) const {
  return lent_ == nullptr ? const_buffer() : lent_->contiguous();
}

std::optional<remote_memory> message::offered() const noexcept {
  if (lent_ == nullptr || !protocol::has_extensions(lent_->extensions)) return std::nullopt;
  auto const told = detail::remote_extensions(lent_->extensions);
  if (!told.offered) return std::nullopt;
  remote_memory made(from(), told.offered->key, told.offered->address, lent_->epoch);
  made.ends_with_send_ = told.offered->ends_with_send;
  return made;
}

std::string message::to_string() const {
  std::string made(size(), '\0');
  static_cast<void>(copy_to(mutable_bytes(made)));
  return made;
}

std::size_t message::copy_to(mutable_buffer to) const noexcept {
  std::size_t const count = std::min(size(), to.size());
  if (count != 0) std::memcpy(to.data(), lent_->bytes, count);
  return count;
}

}  // namespace rdsco
