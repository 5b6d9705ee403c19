// SPDX-License-Identifier: BSD-2-Clause
#include "verbs/fake_memory.hpp"

#include "verbs/fake_fabric.hpp"

#include <algorithm>

namespace rdsco::test {

// Volatile: a compiler makes a call of memcpy() from a plain loop, and that is watched.
[[gnu::noinline, gnu::no_sanitize_address]] void copy_by_adapter(std::byte const* from, std::byte* into, std::size_t count) noexcept {
  std::byte const volatile* const source = from;
  std::byte volatile* const sink = into;
  for (std::size_t at = 0; at < count; ++at) sink[at] = source[at];
}

namespace {

bool within(std::uint64_t first, std::uint64_t size, std::uint64_t address, std::uint64_t bytes) noexcept {
  return address >= first && bytes <= size && address - first <= size - bytes;
}

std::byte* start_of(fake_region const& region) noexcept { return static_cast<std::byte*>(region.addr); }

bool grants(int given, int asked) noexcept { return (given & asked) == asked; }

}  // namespace

void fake_memory::add(fake_region& made, ibv_pd* domain, void* memory, std::size_t bytes, std::uint64_t first, int access) {
  made.pd = domain;
  made.addr = memory;
  made.length = bytes;
  made.first = first;
  made.access = access;
  // Two keys: whoever gives away the local one is found out.
  made.lkey = next_key();
  made.rkey = next_key();
  regions_.push_back(&made);
}

void fake_memory::remove(fake_region& ending) noexcept { std::erase(regions_, &ending); }

void fake_memory::add(fake_window& made, ibv_pd* domain) {
  made.pd = domain;
  made.type = IBV_MW_TYPE_2;
  made.rkey = made.key = next_key();
  windows_.push_back(&made);
}

void fake_memory::remove(fake_window& ending) noexcept {
  unbind(ending);
  std::erase(windows_, &ending);
}

fake_region const* fake_memory::local(std::uint32_t key) const noexcept {
  auto const found = std::ranges::find_if(regions_, [&](fake_region const* each) { return each->lkey == key; });
  return found == regions_.end() ? nullptr : *found;
}

bool fake_memory::permits(ibv_pd const* domain, std::vector<ibv_sge> const& elements, int access) const noexcept {
  return std::ranges::all_of(elements, [&](ibv_sge const& each) {
    if (each.length == 0) return true;
    fake_region const* const in = local(each.lkey);
    return in != nullptr && in->pd == domain && grants(in->access, access) && within(in->first, in->length, each.addr, each.length);
  });
}

std::vector<std::byte> fake_memory::gathered(std::vector<ibv_sge> const& from) const {
  std::vector<std::byte> bytes;
  for (ibv_sge const& each : from) {
    if (each.length == 0) continue;
    fake_region const& in = *local(each.lkey);
    std::size_t const at = bytes.size();
    bytes.resize(at + each.length);
    copy_by_adapter(start_of(in) + (each.addr - in.first), bytes.data() + at, each.length);
  }
  return bytes;
}

void fake_memory::scatter(std::span<std::byte const> bytes, std::vector<ibv_sge> const& into) const noexcept {
  for (ibv_sge const& each : into) {
    std::size_t const count = std::min<std::size_t>(each.length, bytes.size());
    if (count == 0) continue;
    fake_region const& in = *local(each.lkey);
    copy_by_adapter(bytes.data(), start_of(in) + (each.addr - in.first), count);
    bytes = bytes.subspan(count);
  }
}

std::byte* fake_memory::reached(fake_pair const& at, std::uint32_t key, std::uint64_t address, std::uint64_t bytes, int access) const noexcept {
  for (fake_region const* const each : regions_)
    if (each->rkey == key && each->pd == at.pd && grants(each->access, access) && within(each->first, each->length, address, bytes))
      return start_of(*each) + (address - each->first);
  for (fake_window const* const each : windows_)
    if (each->key == key && each->pair == &at && grants(each->access, access) && within(each->first, each->bytes, address, bytes))
      return start_of(*each->region) + each->offset + (address - each->first);
  return nullptr;
}

bool fake_memory::bind(fake_pair& by, fake_binding const& wanted) noexcept {
  if (std::ranges::find(windows_, wanted.window) == windows_.end() || std::ranges::find(regions_, wanted.region) == regions_.end()) return false;
  fake_window& window = *wanted.window;
  fake_region& region = *wanted.region;
  if (window.region != nullptr || window.pd != by.pd || region.pd != by.pd) return false;
  // soft-RoCE finds the window by the key that its owner holds for it.
  if (wanted.believed != window.key || ((wanted.key ^ window.key) & ~0xffu) != 0) return false;
  bool const written = (wanted.access & (IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_ATOMIC)) != 0;
  if (!grants(region.access, IBV_ACCESS_MW_BIND | (written ? IBV_ACCESS_LOCAL_WRITE : 0))) return false;
  if ((region.access & IBV_ACCESS_ZERO_BASED) != 0) return false;
  if (wanted.bytes == 0 || !within(region.first, region.length, wanted.address, wanted.bytes)) return false;
  window.key = wanted.key;
  window.region = &region;
  window.pair = &by;
  window.first = (wanted.access & IBV_ACCESS_ZERO_BASED) != 0 ? 0 : wanted.address;
  window.offset = wanted.address - region.first;
  window.bytes = wanted.bytes;
  window.access = static_cast<int>(wanted.access);
  ++region.windows;
  return true;
}

bool fake_memory::invalidate(fake_pair const& by, std::uint32_t key) noexcept {
  auto const found = std::ranges::find_if(windows_, [&](fake_window const* each) {
    return each->key == key && each->pair == &by;
  });
  if (found == windows_.end()) return false;
  unbind(**found);
  return true;
}

std::size_t fake_memory::let_go(fake_pair const& ending) noexcept {
  std::size_t bound = 0;
  for (fake_window* const each : windows_) {
    if (each->pair != &ending) continue;
    unbind(*each);
    ++bound;
  }
  return bound;
}

void fake_memory::unbind(fake_window& which) noexcept {
  if (which.region != nullptr) --which.region->windows;
  which.region = nullptr;
  which.pair = nullptr;
}

}  // namespace rdsco::test
