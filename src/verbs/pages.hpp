// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <span>

namespace rdsco::verbs {

/// Has the kernel give memory its pages, so that who pins it later need not wait for them. What is in it stays, whoever writes to it
/// meanwhile. Where pages cannot be had nothing is said: whoever pins them finds out.
void populate(std::span<std::byte> memory) noexcept;

/// The same by hand, for kernels before 5.14.
void touch(std::span<std::byte> memory) noexcept;

}  // namespace rdsco::verbs
