// SPDX-License-Identifier: BSD-2-Clause
#include "verbs/slot_pool.hpp"

#include <algorithm>
#include <cerrno>
#include <new>

namespace rdsco::verbs {

namespace {
constexpr std::size_t page_bytes = 4096;
}  // namespace

void slot_pool::set_limits(int registrations_max) noexcept {
  registered_max_ = static_cast<std::size_t>(std::clamp(registrations_max / 2, 1, 4096));
}

slot_pool::list& slot_pool::bucket(std::byte const* memory) noexcept {
  return kept_by_memory_[reinterpret_cast<std::uintptr_t>(memory) / page_bytes % kept_by_memory_.size()];
}

slot* slot_pool::find_kept(std::byte const* memory, std::size_t bytes, int access, void const* holder) noexcept {
  for (slot& each : bucket(memory))
    if (each.memory == memory && each.bytes == bytes && each.access == access && each.holder == holder) return &each;
  return nullptr;
}

int slot_pool::make(ibv_pd* domain, std::byte* memory, std::size_t bytes, std::uint64_t first, int access, slot*& out) noexcept {
  auto* const made = new (std::nothrow) slot;
  if (made == nullptr) return -ENOMEM;
  if (int const failed = api_.register_memory_at(domain, memory, bytes, first, access, made->native)) {
    delete made;
    return failed;
  }
  made->memory = memory;
  made->bytes = bytes;
  made->access = access;
  ++registered_;
  out = made;
  return 0;
}

int slot_pool::take(ibv_pd* domain, std::byte* memory, std::size_t bytes, std::uint64_t first, int access, void const* holder,
                    slot*& out) noexcept {
  if (slot* const known = find_kept(memory, bytes, access, holder)) {
    known->unlink();
    --kept_;
    kept_bytes_ -= known->bytes;
    out = known;
    return 0;
  }
  if (registered_ >= registered_max_) flush();
  if (registered_ >= registered_max_) return -ENOSPC;
  if (int const failed = make(domain, memory, bytes, first, access, out)) return failed;
  out->holder = holder;
  return 0;
}

void slot_pool::give_back(slot& used, bool at_once) noexcept {
  if (at_once) return end(used);
  bucket(used.memory).push_back(used);
  ++kept_;
  kept_bytes_ += used.bytes;
  // As many as the kernel's RDS lets pile up.
  bool const many = kept_ * 5 >= registered_max_ || kept_bytes_ / page_bytes >= registered_max_ * 257 / 4;
  if (many) flush();
}

void slot_pool::end(slot& over) noexcept {
  static_cast<void>(api_.deregister_memory(over.native));
  --registered_;
  delete &over;
}

void slot_pool::flush() noexcept {
  for (list& each : kept_by_memory_)
    while (slot* const one = each.pop_front()) end(*one);
  kept_ = kept_bytes_ = 0;
}

void slot_pool::flush_range(std::byte const* memory, std::size_t bytes) noexcept {
  for (list& each : kept_by_memory_) {
    for (auto at = each.begin(); at != each.end();) {
      slot& one = *at++;
      if (one.memory < memory || one.memory >= memory + bytes) continue;
      one.unlink();
      --kept_;
      kept_bytes_ -= one.bytes;
      end(one);
    }
  }
}

}  // namespace rdsco::verbs
