// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <atomic>
#include <cstddef>

namespace rdsco::detail {

/// Counts the live frames that were made while one loop was running a turn.
class frame_account {
 public:
  frame_account() noexcept = default;
  frame_account(frame_account const&) = delete;
  frame_account& operator=(frame_account const&) = delete;

  [[nodiscard]] std::size_t live() const noexcept { return here_ - elsewhere_.load(std::memory_order_relaxed); }

  /// Frames made on this thread between construction and destruction are this account's. Nests.
  class scope {
   public:
    explicit scope(frame_account& account) noexcept;
    ~scope();
    scope(scope const&) = delete;
    scope& operator=(scope const&) = delete;

   private:
    frame_account* outer_;
  };

 private:
  friend class frame_pool;
  std::size_t here_ = 0;                    // made, less those freed within this account's own turns
  std::atomic<std::size_t> elsewhere_{0};   // freed outside of them, perhaps on another thread
};

/// Memory of coroutine frames: free lists per thread and size class, 64-byte steps to 1 KiB, doubling to 16 KiB, the heap
/// above. A frame may be freed on another thread than its maker's; its memory then serves that thread.
class frame_pool {
 public:
  [[nodiscard]] static void* allocate(std::size_t bytes);
  static void release(void* frame, std::size_t bytes) noexcept;
  /// Frames made on this thread less frames freed on it.
  [[nodiscard]] static std::ptrdiff_t live() noexcept;
  /// Gives this thread's free lists back to the heap.
  static void trim() noexcept;
};

/// Base of promise types: their frames come from the pool.
struct pooled_frame {
  [[nodiscard]] static void* operator new(std::size_t bytes) { return frame_pool::allocate(bytes); }
  static void operator delete(void* frame, std::size_t bytes) noexcept { frame_pool::release(frame, bytes); }
};

}  // namespace rdsco::detail
