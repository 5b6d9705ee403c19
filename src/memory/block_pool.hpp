// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/detail/seams.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace rdsco::detail {

/// Memory for datagrams: blocks by size class with free lists, so that steady traffic allocates nothing.
///
/// A block may outlive the node that the pool serves (a lent message owns its bytes): the pool is deleted with its
/// last block. One loop thread; no atomics.
class block_pool {
  struct alignas(std::max_align_t) block {
    block_pool* pool;
    std::size_t size_class;
    block* next;  // only while on a free list
  };

 public:
  struct counts {
    std::size_t live_blocks = 0;
    std::size_t live_bytes = 0;
    std::size_t retained_bytes = 0;
    std::uint64_t misses = 0;   ///< allocations that went to the memory source
    std::uint64_t refused = 0;  ///< allocations that the source or the limit refused
  };

  /// `source` null: the system's memory. `live_bytes_max` bounds what all live blocks together may hold.
  [[nodiscard]] static block_pool* create(memory_source* source, std::size_t live_bytes_max);

  /// A block of at least `bytes` bytes, aligned for anything, or null where the limit or the source refused.
  [[nodiscard]] void* allocate(std::size_t bytes) noexcept {
    std::size_t const size_class = class_of(bytes + sizeof(block));
    if (size_class < class_count) [[likely]] {
      std::size_t const taken_bytes = class_bytes_[size_class];
      block* const taken = free_[size_class];
      if (taken != nullptr && counts_.live_bytes + taken_bytes <= live_bytes_max_) [[likely]] {
        free_[size_class] = taken->next;
        counts_.retained_bytes -= taken_bytes;
        ++counts_.live_blocks;
        counts_.live_bytes += taken_bytes;
        return taken + 1;
      }
    }
    return allocate_slowly(bytes);
  }
  void release(void* memory) noexcept {
    block* const taken = static_cast<block*>(memory) - 1;
    std::size_t const taken_bytes = class_bytes_[taken->size_class];
    --counts_.live_blocks;
    counts_.live_bytes -= taken_bytes;
    if (!abandoned_ && counts_.retained_bytes + taken_bytes <= retained_bytes_max) [[likely]] {
      taken->next = free_[taken->size_class];
      free_[taken->size_class] = taken;
      counts_.retained_bytes += taken_bytes;
      return;
    }
    release_slowly(taken);
  }

  /// The owner lets go. The pool deletes itself now, or with its last live block.
  void abandon() noexcept;

  [[nodiscard]] counts const& now() const noexcept { return counts_; }
  /// allocate() is never asked for more with success.
  [[nodiscard]] static constexpr std::size_t largest() noexcept { return class_bytes_.back() - sizeof(block); }
  /// Bytes that a block for `bytes` really takes.
  [[nodiscard]] static constexpr std::size_t block_bytes(std::size_t bytes) noexcept {
    return class_bytes_[class_of(bytes + sizeof(block))];
  }

 private:
  // Steps of 64 bytes up to 1 KiB, then four classes to each doubling, up to 4 MiB.
  static constexpr std::size_t small_step = 64;
  static constexpr std::size_t small_max = 1024;
  static constexpr std::size_t small_classes = small_max / small_step + 1;
  static constexpr std::size_t class_count = small_classes + 4 * 12;
  // What is kept for later; a burst of large datagrams must not pin its memory for ever.
  static constexpr std::size_t retained_bytes_max = 32u << 20;

  block_pool(memory_source* source, std::size_t live_bytes_max) noexcept : source_(source), live_bytes_max_(live_bytes_max) {}
  ~block_pool();

  [[nodiscard]] static constexpr std::size_t class_of(std::size_t bytes) noexcept {
    if (bytes <= small_max) [[likely]] return (bytes + small_step - 1) / small_step;
    std::size_t const doubling = std::bit_floor(bytes - 1);
    std::size_t const quarter = doubling / 4;
    std::size_t const step = (bytes - doubling + quarter - 1) / quarter;
    auto const doublings = static_cast<std::size_t>(std::countr_zero(doubling) - std::countr_zero(small_max));
    return small_classes - 1 + doublings * 4 + step;
  }
  static constexpr std::array<std::size_t, class_count> class_bytes_ = [] {
    std::array<std::size_t, class_count> made{};
    for (std::size_t at = 0; at < small_classes; ++at) made[at] = at * small_step;
    for (std::size_t at = small_classes; at < class_count; ++at) {
      std::size_t const doubling = small_max << ((at - small_classes) / 4);
      made[at] = doubling + doubling / 4 * ((at - small_classes) % 4 + 1);
    }
    return made;
  }();

  [[nodiscard]] void* allocate_slowly(std::size_t bytes) noexcept;
  void release_slowly(block* taken) noexcept;
  void* from_source(std::size_t bytes) noexcept;
  void to_source(block* taken, std::size_t bytes) noexcept;

  memory_source* source_;
  std::size_t live_bytes_max_;
  bool abandoned_ = false;
  counts counts_;
  std::array<block*, class_count> free_{};
};

}  // namespace rdsco::detail
