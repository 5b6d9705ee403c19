// SPDX-License-Identifier: BSD-2-Clause
#include "account.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>

namespace demo {

namespace {

// The finaliser of splitmix64.
std::uint64_t mixed(std::uint64_t value) noexcept {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

constexpr std::size_t places = 1u << 16;  // where a datagram's bytes may begin in the pool of bytes

std::vector<std::byte> random_bytes() {
  std::vector<std::byte> made(account::bytes_max + places);
  for (std::size_t at = 0; at + 8 <= made.size(); at += 8) {
    auto const word = mixed(at + 0x9e3779b97f4a7c15u);
    std::memcpy(made.data() + at, &word, 8);
  }
  return made;
}

std::vector<std::byte> const& pool() {
  static std::vector<std::byte> const bytes = random_bytes();
  return bytes;
}

std::uint64_t now_ns() noexcept { return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count()); }

}  // namespace

std::size_t account::size_of(std::uint64_t index) const noexcept {
  // Mostly small, as real traffic is; one in twenty large, up to 1 MiB.
  auto const dice = mixed(flow_ * 0x10001 + index);
  auto const kind = dice % 20;
  auto const [least, most] = kind < 10   ? std::pair<std::size_t, std::size_t>(name_bytes, 1024)
                             : kind < 16 ? std::pair<std::size_t, std::size_t>(1024, 16 * 1024)
                             : kind < 19 ? std::pair<std::size_t, std::size_t>(16 * 1024, 128 * 1024)
                                         : std::pair<std::size_t, std::size_t>(128 * 1024, bytes_max);
  return least + (dice >> 8) % (most - least + 1);
}

rdsco::const_buffer account::content_of(std::uint64_t index) const noexcept {
  return rdsco::const_buffer(pool()).subspan(mixed(flow_ + (index << 20)) % places, size_of(index) - name_bytes);
}

std::span<rdsco::const_buffer const> account::next() {
  name_ = {flow_, sent_};
  sent_at_[sent_ % window] = now_ns();
  parts_ = {std::as_bytes(std::span<name const>(&name_, 1)), content_of(sent_)};
  ++sent_;
  return parts_;
}

bool account::intact(rdsco::message const& echo, std::uint64_t index) const {
  if (echo.size() != size_of(index)) return false;
  std::vector<std::byte> scratch;
  auto const bytes = echo.contiguous(scratch).subspan(name_bytes);
  auto const wanted = content_of(index);
  return std::equal(bytes.begin(), bytes.end(), wanted.begin(), wanted.end());
}

bool account::take(rdsco::message const& echo, totals& into) {
  name got{};
  if (echo.copy_to(std::as_writable_bytes(std::span<name>(&got, 1))) < name_bytes || got.flow != flow_ || got.index >= sent_) return false;
  ++into.messages;
  into.bytes += echo.size();
  if (!intact(echo, got.index)) ++into.corrupted;
  into.trips_us.push_back(static_cast<float>(now_ns() - sent_at_[got.index % window]) / 1000);
  place(got.index, into);
  return true;
}

void account::place(std::uint64_t index, totals& into) {
  if (index >= expected_) {
    for (; expected_ < index; ++expected_) missing_.insert(expected_);
    ++expected_;
  } else if (missing_.erase(index) > 0) {
    ++into.reordered;
  } else {
    ++into.duplicated;
  }
}

void account::close(totals& into) const noexcept { into.lost += missing_.size() + (sent_ - expected_); }

}  // namespace demo
