// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define RDSCO_POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RDSCO_POISONS 1
#endif
#endif
#ifdef RDSCO_POISONS
#include <sanitizer/asan_interface.h>
#endif

namespace rdsco::verbs {

/// Memory that an adapter may write to at any time is nobody's to look at: with AddressSanitizer, whoever does is caught.
inline void poison([[maybe_unused]] void const* memory, [[maybe_unused]] std::size_t bytes) noexcept {
#ifdef RDSCO_POISONS
  __asan_poison_memory_region(memory, bytes);
#endif
}
inline void unpoison([[maybe_unused]] void const* memory, [[maybe_unused]] std::size_t bytes) noexcept {
#ifdef RDSCO_POISONS
  __asan_unpoison_memory_region(memory, bytes);
#endif
}

}  // namespace rdsco::verbs
