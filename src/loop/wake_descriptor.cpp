// SPDX-License-Identifier: BSD-2-Clause
#include "loop/wake_descriptor.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace rdsco::detail {

wake_descriptor::wake_descriptor() : descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (descriptor_ < 0) throw std::system_error(errno, std::system_category(), "no eventfd to wake a loop with");
}

wake_descriptor::~wake_descriptor() { ::close(descriptor_); }

// EAGAIN of either is the state that was wanted.
void wake_descriptor::set() const noexcept { (void)::eventfd_write(descriptor_, 1); }

void wake_descriptor::clear() const noexcept {
  eventfd_t count = 0;
  (void)::eventfd_read(descriptor_, &count);
}

}  // namespace rdsco::detail
