// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: pages are not there afterwards, what was in them is lost, or so is what another thread writes meanwhile.
// Forced by: fresh mappings and parts of them that begin and end within a page, both ways, and a thread that counts in the same memory.

#include "verbs/pages.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

std::size_t const page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));

/// Memory without a page.
class mapping {
 public:
  explicit mapping(std::size_t pages) : bytes_(pages * page) {
    void* const made = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(made != MAP_FAILED);
    start_ = static_cast<std::byte*>(made);
    REQUIRE(madvise(start_, bytes_, MADV_NOHUGEPAGE) == 0);
  }
  mapping(mapping const&) = delete;
  mapping& operator=(mapping const&) = delete;
  ~mapping() { munmap(start_, bytes_); }

  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return {start_, bytes_}; }
  [[nodiscard]] std::vector<bool> present() const {
    std::vector<unsigned char> answer(bytes_ / page);
    REQUIRE(mincore(start_, bytes_, answer.data()) == 0);
    std::vector<bool> made;
    for (unsigned char const each : answer) made.push_back((each & 1) != 0);
    return made;
  }

 private:
  std::byte* start_ = nullptr;
  std::size_t bytes_;
};

using way = void (*)(std::span<std::byte>) noexcept;

}  // namespace

TEST_CASE("pages: they are there, those of the part and no others") {
  way const how = GENERATE(&rdsco::verbs::populate, &rdsco::verbs::touch);
  mapping memory(6);
  REQUIRE(memory.present() == std::vector<bool>(6));
  how({});
  how(memory.bytes().subspan(2 * page - 1, 2 * page + 2));
  CHECK(memory.present() == std::vector<bool>{false, true, true, true, true, false});
}

TEST_CASE("pages: what is in them stays") {
  way const how = GENERATE(&rdsco::verbs::populate, &rdsco::verbs::touch);
  mapping memory(4);
  std::ranges::fill(memory.bytes().subspan(page, page), std::byte{0x5a});
  how(memory.bytes());
  CHECK(std::ranges::count(memory.bytes(), std::byte{0x5a}) == static_cast<std::ptrdiff_t>(page));
  CHECK(std::ranges::count(memory.bytes(), std::byte{0}) == static_cast<std::ptrdiff_t>(3 * page));
}

TEST_CASE("pages: what another thread writes meanwhile stays") {
  way const how = GENERATE(&rdsco::verbs::populate, &rdsco::verbs::touch);
  mapping memory(2);
  std::atomic_ref counted(reinterpret_cast<unsigned char&>(memory.bytes().front()));
  std::atomic<bool> ends = false;
  unsigned char wrote = 0;
  std::thread other([&] {
    do {
      counted.store(++wrote);
      if (counted.load() != wrote) break;
    } while (!ends);
  });
  for (int times = 0; times < 20'000; ++times) how(memory.bytes());
  ends = true;
  other.join();
  CHECK(counted.load() == wrote);
}

TEST_CASE("pages: memory that is not there is somebody else's trouble") {
  mapping memory(4);
  std::span<std::byte> const bytes = memory.bytes();
  REQUIRE(mprotect(bytes.data(), bytes.size(), PROT_NONE) == 0);
  rdsco::verbs::populate(bytes);
  CHECK(memory.present() == std::vector<bool>(4));
}
