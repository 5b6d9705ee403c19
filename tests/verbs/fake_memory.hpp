// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <infiniband/verbs.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace rdsco::test {

struct fake_pair;

struct fake_region : ibv_mr {
  std::uint64_t first = 0;  // how its first byte is addressed, by either key
  int access = 0;
  std::size_t windows = 0;  // bound to it
};

struct fake_window : ibv_mw {
  std::uint32_t key = 0;          // the adapter's; `rkey` is only what its owner believes, as rdma-core leaves it
  fake_region* region = nullptr;  // null: it is not bound
  fake_pair* pair = nullptr;      // only what arrives there may use it
  std::uint64_t first = 0;        // how its first byte is addressed
  std::uint64_t offset = 0;       // and where that is in the region
  std::uint64_t bytes = 0;
  int access = 0;
};

/// A request to bind a window, as it was posted: `believed` is what its owner held for the key then.
struct fake_binding {
  fake_window* window = nullptr;
  fake_region* region = nullptr;
  std::uint32_t believed = 0, key = 0;
  std::uint64_t address = 0, bytes = 0;
  unsigned access = 0;
};

/// Copies as an adapter does, of which AddressSanitizer sees nothing: it may move bytes that its owner must not touch meanwhile.
void copy_by_adapter(std::byte const* from, std::byte* into, std::size_t count) noexcept;

/// What adapters may reach: registered regions, and windows on them. Keys are those of all hosts, and none is used twice.
class fake_memory {
 public:
  void add(fake_region& made, ibv_pd* domain, void* memory, std::size_t bytes, std::uint64_t first, int access);
  void remove(fake_region& ending) noexcept;
  void add(fake_window& made, ibv_pd* domain);
  void remove(fake_window& ending) noexcept;

  /// Whether these may be read, or written too, on behalf of the owner: a key of its domain, within the region, `access` granted.
  [[nodiscard]] bool permits(ibv_pd const* domain, std::vector<ibv_sge> const& elements, int access) const noexcept;
  /// Of what is permitted.
  [[nodiscard]] std::vector<std::byte> gathered(std::vector<ibv_sge> const& from) const;
  void scatter(std::span<std::byte const> bytes, std::vector<ibv_sge> const& into) const noexcept;
  /// Where a request that arrived on `at` may do what it asks for; null: it may not.
  [[nodiscard]] std::byte* reached(fake_pair const& at, std::uint32_t key, std::uint64_t address, std::uint64_t bytes, int access) const noexcept;

  /// Whether it was bound.
  [[nodiscard]] bool bind(fake_pair& by, fake_binding const& wanted) noexcept;
  /// Whether that was the key of a window of the pair's domain.
  [[nodiscard]] bool invalidate(fake_pair const& by, std::uint32_t key) noexcept;
  /// Windows of a pair are free when it is gone. How many that were.
  std::size_t let_go(fake_pair const& ending) noexcept;

 private:
  [[nodiscard]] std::uint32_t next_key() noexcept { return last_key_ += 0x100; }
  [[nodiscard]] fake_region const* local(std::uint32_t key) const noexcept;
  static void unbind(fake_window& which) noexcept;

  std::vector<fake_region*> regions_;
  std::vector<fake_window*> windows_;
  std::uint32_t last_key_ = 0x7700;  // the low 8 bits are for owners of windows
};

}  // namespace rdsco::test
