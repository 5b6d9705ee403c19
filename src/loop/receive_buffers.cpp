// SPDX-License-Identifier: BSD-2-Clause
#include "loop/receive_buffers.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cerrno>

namespace rdsco::detail {
namespace {

constexpr unsigned count_max = 32768;  // what the kernel allows in a buffer ring

void* map_memory(std::size_t bytes) noexcept {
  void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

}  // namespace

receive_buffers::receive_buffers(receive_buffer_options const& options) noexcept : options_(options) {
  options_.count = std::bit_ceil(std::clamp(options_.count, 1U, count_max));
  options_.bytes = std::max<std::size_t>(options_.bytes, 64);
}

receive_buffers::~receive_buffers() {
  if (memory_ != nullptr) ::munmap(memory_, options_.bytes * options_.count);
  if (ring_ != nullptr) ::munmap(ring_, sizeof(io_uring_buf) * options_.count);
}

int receive_buffers::prepare(ring& where) noexcept {
  if (memory_ != nullptr) return 0;
  memory_ = static_cast<std::byte*>(map_memory(options_.bytes * options_.count));
  if (memory_ == nullptr) return -ENOMEM;
  ring_ = static_cast<io_uring_buf_ring*>(map_memory(sizeof(io_uring_buf) * options_.count));
  if (ring_ != nullptr) {
    io_uring_buf_ring_init(ring_);
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<std::uintptr_t>(ring_);
    registration.ring_entries = options_.count;
    registration.bgid = group;
    if (where.register_buffer_ring(registration) != 0) {
      ::munmap(ring_, sizeof(io_uring_buf) * options_.count);
      ring_ = nullptr;
    }
  }
  for (unsigned i = 0; i < options_.count; ++i) {
    auto const number = static_cast<std::uint16_t>(i);
    if (kernel_picks())
      give_to_kernel(number);
    else
      free_.push_back(number);
  }
  return 0;
}

mutable_buffer receive_buffers::at(std::uint16_t number) noexcept {
  return {memory_ + std::size_t{number} * options_.bytes, options_.bytes};
}

std::optional<std::uint16_t> receive_buffers::pick() noexcept {
  if (free_.empty()) return std::nullopt;
  std::uint16_t const number = free_.back();
  free_.pop_back();
  ++lent_;
  return number;
}

void receive_buffers::give_back(std::uint16_t number) noexcept {
  --lent_;
  if (kernel_picks())
    give_to_kernel(number);
  else
    free_.push_back(number);
}

void receive_buffers::give_to_kernel(std::uint16_t number) noexcept {
  io_uring_buf_ring_add(ring_, at(number).data(), static_cast<unsigned>(options_.bytes), number,
                        io_uring_buf_ring_mask(options_.count), 0);
  io_uring_buf_ring_advance(ring_, 1);
}

}  // namespace rdsco::detail
