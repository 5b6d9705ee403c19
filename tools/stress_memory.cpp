// SPDX-License-Identifier: BSD-2-Clause
#include "tools/stress_memory.hpp"

#include <algorithm>
#include <utility>

namespace rdsco::tools {

namespace {

constexpr std::uint8_t only_reads = 1, only_writes = 2;

}  // namespace

task<result<>> stress_memory::open() {
  bytes_.resize(2 * agreed_.depth * part_bytes());
  asked_.resize(agreed_.depth);
  auto made = co_await own_.register_memory(bytes_);
  if (made.ec) co_return made.ec;
  whole_ = std::move(made.data);
  for (std::size_t at = agreed_.depth * part_bytes(); at != bytes_.size(); at += agreed_.rdma_bytes)
    vector_.push_back(whole_.slice(at, agreed_.rdma_bytes));
  co_return result<>();
}

bool stress_memory::writes(std::uint64_t nth) const noexcept {
  if (agreed_.rdma_mode == only_reads) return false;
  return agreed_.rdma_mode == only_writes || nth % 2 == 0;
}

task<result<>> stress_memory::offer(std::uint16_t which, std::uint64_t nth) {
  offer_terms terms(writes(nth) ? access::write : access::read);
  auto made = co_await whole_.offer(peer_, which * part_bytes(), part_bytes(), terms);
  if (made.ec) co_return made.ec;
  asked_[which].offered = std::move(made.data);
  co_return result<>();
}

void stress_memory::fill(std::uint16_t which, std::uint64_t nth, stress_header const& request) noexcept {
  auto const content_now = content(request);
  std::copy(content_now.begin(), content_now.end(), part(which).begin());
  question& asked = asked_[which];
  asked.request = request;
  asked.nth = nth;
}

bool stress_memory::take_back(std::uint16_t which, stress_header const& answer) noexcept {
  question& asked = asked_[which];
  asked.offered = memory_offer();
  return std::ranges::equal(part(which), content(writes(asked.nth) ? answer : asked.request));
}

task<result<>> stress_memory::work_on(std::uint16_t which, remote_memory const& of, std::uint64_t nth, stress_header const& answer,
                                      const_buffers then) {
  auto const own = part(for_answer(which));
  auto const pieces = std::span<region_slice const>(vector_).subspan(which * agreed_.rdma_vector, agreed_.rdma_vector);
  if (!writes(nth)) {
    std::ranges::fill(own, std::byte{0});
    auto const got = co_await own_.rdma_read(pieces, of, 0, then);
    if (!got.ec) bytes_in += own.size();
    co_return got.ec;
  }
  auto const content_now = content(answer);
  std::copy(content_now.begin(), content_now.end(), own.begin());
  auto const wrote = co_await own_.rdma_write(pieces, of, 0, then);
  if (!wrote.ec) bytes_out += own.size();
  co_return wrote.ec;
}

bool stress_memory::right(std::uint16_t which, std::uint64_t nth, stress_header const& request) const noexcept {
  return writes(nth) || std::ranges::equal(part(for_answer(which)), content(request));
}

}  // namespace rdsco::tools
