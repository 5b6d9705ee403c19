// SPDX-License-Identifier: BSD-2-Clause
#include <rdsco/detail/frame_pool.hpp>

#include <array>
#include <bit>
#include <cstdint>
#include <new>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#define RDSCO_POISON_FRAMES 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RDSCO_POISON_FRAMES 1
#endif
#endif
#ifdef RDSCO_POISON_FRAMES
#include <sanitizer/asan_interface.h>
#endif

namespace rdsco::detail {
namespace {

// In front of every frame. Its size keeps the frame aligned as operator new would.
struct alignas(__STDCPP_DEFAULT_NEW_ALIGNMENT__) block {
  union {
    frame_account* account;  // while in use
    block* next;             // while free
  };
};

constexpr std::size_t step = 64;
constexpr std::size_t small_max = 1024;
constexpr std::size_t large_max = 16 * 1024;
constexpr std::size_t small_classes = small_max / step;
constexpr std::size_t class_count = small_classes + 4;
constexpr std::size_t kept_bytes_max = 1024 * 1024;  // of each class, by each thread

std::size_t class_of(std::size_t bytes) noexcept {
  if (bytes <= small_max) return (bytes - 1) / step;
  return small_classes + static_cast<std::size_t>(std::bit_width((bytes - 1) / small_max)) - 1;
}
std::size_t class_bytes(std::size_t index) noexcept {
  return index < small_classes ? (index + 1) * step : small_max << (index - small_classes + 1);
}

void mark_free([[maybe_unused]] block* value, [[maybe_unused]] std::size_t bytes) noexcept {
#ifdef RDSCO_POISON_FRAMES
  ASAN_POISON_MEMORY_REGION(value + 1, bytes - sizeof(block));
#endif
}
void mark_used([[maybe_unused]] block* value, [[maybe_unused]] std::size_t bytes) noexcept {
#ifdef RDSCO_POISON_FRAMES
  ASAN_UNPOISON_MEMORY_REGION(value + 1, bytes - sizeof(block));
#endif
}

// Trivially destructible, so that frames freed by later thread_local destructors still find it.
struct thread_lists {
  std::array<block*, class_count> free{};
  std::array<std::size_t, class_count> kept{};
  std::ptrdiff_t live = 0;
  frame_account* account = nullptr;
  bool trimmed_at_exit = false;
  bool exiting = false;

  void trim() noexcept {
    for (std::size_t i = 0; i < class_count; ++i) {
      kept[i] = 0;
      while (block* const value = free[i]) {
        free[i] = value->next;
        mark_used(value, class_bytes(i));
        ::operator delete(value);
      }
    }
  }
};
constinit thread_local thread_lists lists;

struct exit_trim {
  ~exit_trim() {
    lists.exiting = true;
    lists.trim();
  }
  void arm() const noexcept { lists.trimmed_at_exit = true; }
};
thread_local exit_trim at_exit;

block* take(std::size_t index) {
  thread_lists& mine = lists;
  if (block* const value = mine.free[index]) {
    mine.free[index] = value->next;
    --mine.kept[index];
    mark_used(value, class_bytes(index));
    return value;
  }
  return static_cast<block*>(::operator new(class_bytes(index)));
}

void give_back(block* value, std::size_t index) noexcept {
  thread_lists& mine = lists;
  std::size_t const bytes = class_bytes(index);
  if (mine.exiting || mine.kept[index] * bytes >= kept_bytes_max) {
    ::operator delete(value);
    return;
  }
  if (!mine.trimmed_at_exit) at_exit.arm();
  value->next = mine.free[index];
  mine.free[index] = value;
  ++mine.kept[index];
  mark_free(value, bytes);
}

}  // namespace

frame_account::scope::scope(frame_account& account) noexcept : outer_(std::exchange(lists.account, &account)) {}
frame_account::scope::~scope() { lists.account = outer_; }

void* frame_pool::allocate(std::size_t bytes) {
  std::size_t const total = bytes + sizeof(block);
  block* const value = total > large_max ? static_cast<block*>(::operator new(total)) : take(class_of(total));
  value->account = lists.account;
  if (value->account != nullptr) ++value->account->here_;
  ++lists.live;
  return value + 1;
}

void frame_pool::release(void* frame, std::size_t bytes) noexcept {
  block* const value = static_cast<block*>(frame) - 1;
  std::size_t const total = bytes + sizeof(block);
  --lists.live;
  if (frame_account* const account = value->account) {
    if (account == lists.account)
      --account->here_;
    else
      account->elsewhere_.fetch_add(1, std::memory_order_relaxed);
  }
  if (total > large_max)
    ::operator delete(value);
  else
    give_back(value, class_of(total));
}

std::ptrdiff_t frame_pool::live() noexcept { return lists.live; }
void frame_pool::trim() noexcept { lists.trim(); }

}  // namespace rdsco::detail
