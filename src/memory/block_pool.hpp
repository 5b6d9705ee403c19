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
  [[nodiscard]] void* allocate(std::size_t bytes) noexcept;
  void release(void* block) noexcept;

  /// The owner lets go. The pool deletes itself now, or with its last live block.
  void abandon() noexcept;

  [[nodiscard]] counts const& now() const noexcept { return counts_; }
  /// Bytes that a block for `bytes` really takes.
  [[nodiscard]] static std::size_t block_bytes(std::size_t bytes) noexcept;

 private:
  struct alignas(std::max_align_t) block {
    block_pool* pool;
    std::uint32_t size_class;
    block* next;  // only while on a free list
  };
  // Four classes to each doubling, 256 bytes to 4 MiB.
  static constexpr std::size_t smallest = 256;
  static constexpr std::size_t class_count = 4 * 14 + 1;
  // What a class keeps for later; a burst of large datagrams must not pin its memory for ever.
  static constexpr std::size_t retained_bytes_max_per_class = 8u << 20;

  block_pool(memory_source* source, std::size_t live_bytes_max) noexcept : source_(source), live_bytes_max_(live_bytes_max) {}
  ~block_pool();

  static std::size_t class_of(std::size_t bytes) noexcept;
  static std::size_t class_bytes(std::size_t size_class) noexcept;
  void* from_source(std::size_t bytes) noexcept;
  void to_source(block* taken, std::size_t bytes) noexcept;

  memory_source* source_;
  std::size_t live_bytes_max_;
  bool abandoned_ = false;
  counts counts_;
  std::array<block*, class_count> free_{};
  std::array<std::size_t, class_count> free_bytes_{};
};

}  // namespace rdsco::detail
