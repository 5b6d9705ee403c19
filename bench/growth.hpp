// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "usage.hpp"

#include <unistd.h>

#include <cstdint>
#include <fstream>

namespace rdsco::bench {

/// Of this process, as the kernel sees it.
inline std::uint64_t resident_bytes() {
  std::uint64_t total = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

/// Bytes taken since it was made, for each of so many.
class growth {
 public:
  [[nodiscard]] figures per(std::uint64_t count) const {
    auto const each = static_cast<double>(count);
    return {{"bytes", static_cast<double>(heap_bytes() - heap_) / each}, {"resident_bytes", static_cast<double>(resident_bytes() - resident_) / each}};
  }

 private:
  std::uint64_t resident_ = resident_bytes();
  std::uint64_t heap_ = heap_bytes();
};

}  // namespace rdsco::bench
