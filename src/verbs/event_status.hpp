// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "verbs/api.hpp"

#include <infiniband/verbs.h>

#include <system_error>

namespace rdsco::verbs {

/// What an adapter says by itself that ends a connection, as error codes. Their values are those of
/// ibv_event_type plus one: the first of these is 0, which would be no error.
[[nodiscard]] std::error_category const& event_category() noexcept;
[[nodiscard]] inline std::error_code code_of(ibv_event_type type) noexcept { return {static_cast<int>(type) + 1, event_category()}; }

/// What it means to whoever uses the device.
[[nodiscard]] device_event::kind kind_of(ibv_event_type type) noexcept;

}  // namespace rdsco::verbs
