// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a block smaller than was asked for, one that two own, a limit passed or lived under too early, memory that an
// abandoned pool keeps, or that goes back to its source as another size than it came.
// Forced by: every size, two owners side by side, a source that counts and refuses, and pools abandoned before and after their
// last block.

#include "memory/block_pool.hpp"

#include <catch2/catch.hpp>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <vector>

namespace {

using rdsco::detail::block_pool;

/// Knows every block that it gave, and with which size.
class counting_source final : public rdsco::detail::memory_source {
 public:
  void* allocate(std::size_t bytes) noexcept override {
    if (refuses) return nullptr;
    void* const memory = std::malloc(bytes);
    given_[memory] = bytes;
    held += bytes;
    return memory;
  }
  void release(void* memory, std::size_t bytes) noexcept override {
    auto const found = given_.find(memory);
    if (found == given_.end() || found->second != bytes) {
      ++wrong;
      return;
    }
    given_.erase(found);
    held -= bytes;
    std::free(memory);
  }

  bool refuses = false;
  std::size_t held = 0;
  std::size_t wrong = 0;  // given back unknown, twice, or as another size

 private:
  std::map<void*, std::size_t> given_;
};

constexpr std::size_t plenty = std::size_t{1} << 30;
constexpr std::size_t largest = (4u << 20) - 64;  // of a block with its head

struct fixture {
  explicit fixture(std::size_t limit = plenty) : pool(block_pool::create(&source, limit)) {}
  fixture(fixture const&) = delete;
  fixture& operator=(fixture const&) = delete;
  ~fixture() {
    pool->abandon();
    CHECK(source.held == 0);
    CHECK(source.wrong == 0);
  }

  counting_source source;
  block_pool* pool;
};

}  // namespace

TEST_CASE("a block of every size is aligned, as large as asked for, and counted as what it takes") {
  fixture with;
  for (std::size_t bytes = 0; bytes <= largest; bytes += 1 + bytes / 64) {
    INFO(bytes);
    void* const got = with.pool->allocate(bytes);
    REQUIRE(got != nullptr);
    REQUIRE(reinterpret_cast<std::uintptr_t>(got) % alignof(std::max_align_t) == 0);
    std::memset(got, 0x5a, bytes);  // a sanitizer watches
    REQUIRE(block_pool::block_bytes(bytes) > bytes);
    REQUIRE(with.pool->now().live_blocks == 1);
    REQUIRE(with.pool->now().live_bytes == block_pool::block_bytes(bytes));
    // What the source gave is all accounted for.
    REQUIRE(with.source.held == with.pool->now().live_bytes + with.pool->now().retained_bytes);
    with.pool->release(got);
    REQUIRE(with.pool->now().live_blocks == 0);
    REQUIRE(with.pool->now().live_bytes == 0);
  }
  REQUIRE(with.pool->now().refused == 0);
}

TEST_CASE("a block that came back serves again, and no block has two owners") {
  fixture with;
  void* const first = with.pool->allocate(1000);
  void* const second = with.pool->allocate(1000);
  REQUIRE(first != second);
  with.pool->release(first);
  REQUIRE(with.pool->now().retained_bytes == block_pool::block_bytes(1000));
  void* const again = with.pool->allocate(1000);
  void* const third = with.pool->allocate(1000);
  REQUIRE(again == first);
  REQUIRE(third != first);
  REQUIRE(third != second);
  REQUIRE(with.pool->now().misses == 3);
  for (void* const each : {second, again, third}) with.pool->release(each);
  // Steady traffic asks the source for nothing.
  for (int round = 0; round < 100; ++round) with.pool->release(with.pool->allocate(1000));
  REQUIRE(with.pool->now().misses == 3);
}

TEST_CASE("the limit holds for fresh blocks and for those that are kept, to the last byte") {
  std::size_t const each = block_pool::block_bytes(1000);
  fixture with(3 * each);
  std::vector<void*> held;
  for (int count = 0; count < 3; ++count) held.push_back(with.pool->allocate(1000));
  REQUIRE(held.back() != nullptr);
  REQUIRE(with.pool->now().live_bytes == 3 * each);
  REQUIRE(with.pool->allocate(0) == nullptr);
  REQUIRE(with.pool->now().refused == 1);
  // One is free again, and its memory is kept; something small fills the bytes that it had.
  with.pool->release(held.back());
  held.back() = with.pool->allocate(0);
  REQUIRE(held.back() != nullptr);
  REQUIRE(with.pool->allocate(1000) == nullptr);
  REQUIRE(with.pool->now().refused == 2);
  REQUIRE(with.pool->now().live_blocks == 3);
  with.pool->release(held.back());
  held.back() = with.pool->allocate(1000);
  REQUIRE(held.back() != nullptr);
  for (void* const one : held) with.pool->release(one);
}

TEST_CASE("what the source refuses, and what is larger than any block, is refused and counted") {
  fixture with;
  with.source.refuses = true;
  REQUIRE(with.pool->allocate(100) == nullptr);
  with.source.refuses = false;
  REQUIRE(with.pool->allocate(largest + 64) == nullptr);
  REQUIRE(with.pool->allocate(std::size_t{1} << 40) == nullptr);
  REQUIRE(with.pool->now().refused == 3);
  REQUIRE(with.pool->now().live_bytes == 0);
  REQUIRE(with.source.held == 0);
}

TEST_CASE("a burst of large blocks does not pin its memory") {
  fixture with;
  constexpr std::size_t kept_at_most = 32u << 20, count = 32;
  std::vector<void*> held;
  for (std::size_t index = 0; index < count; ++index) held.push_back(with.pool->allocate(largest));
  REQUIRE(with.source.held > 2 * kept_at_most);
  for (void* const each : held) with.pool->release(each);
  REQUIRE(with.pool->now().retained_bytes > 0);
  REQUIRE(with.pool->now().retained_bytes <= kept_at_most);
  REQUIRE(with.source.held == with.pool->now().retained_bytes);
}

TEST_CASE("an abandoned pool lives as long as its last block, keeps nothing of what comes back, and leaves nothing") {
  counting_source source;
  block_pool* const pool = block_pool::create(&source, plenty);
  void* const first = pool->allocate(100);
  void* const second = pool->allocate(5000);
  pool->release(pool->allocate(700));  // one on a free list
  pool->abandon();
  std::memset(second, 0x5a, 5000);
  pool->release(first);
  REQUIRE(source.held == block_pool::block_bytes(5000) + block_pool::block_bytes(700));
  REQUIRE(pool->now().live_blocks == 1);
  pool->release(second);  // and with it the pool
  REQUIRE(source.held == 0);
  REQUIRE(source.wrong == 0);
}

TEST_CASE("a pool without a source takes the system's memory") {
  block_pool* const pool = block_pool::create(nullptr, plenty);
  void* const one = pool->allocate(123'456);
  REQUIRE(one != nullptr);
  std::memset(one, 0x5a, 123'456);
  pool->release(pool->allocate(10));
  pool->abandon();
  REQUIRE(pool->now().live_blocks == 1);
  pool->release(one);
}
