// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <system_error>

namespace rdsco {

/// What a kernel's RDS says of a remote operation to whoever asked to be notified, with the kernel's numbers (linux/rds.h:
/// RDS_RDMA_SUCCESS and the others): for programs that pass on what they said when they used the kernel's sockets.
enum class notification : std::uint8_t { success = 0, remote_error = 1, canceled = 2, dropped = 3, other_error = 4 };

/// That word for the outcome of a remote operation of ours; the same on every transport, because outcomes are. docs/errors.md has the table.
[[nodiscard]] notification notification_of(std::error_code const& outcome) noexcept;

}  // namespace rdsco
