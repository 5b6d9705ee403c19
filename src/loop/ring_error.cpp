// SPDX-License-Identifier: BSD-2-Clause
#include "loop/ring_error.hpp"

#include <rdsco/error.hpp>

#include <cerrno>

namespace rdsco::detail {

std::error_code ring_error_code(int error) noexcept {
  switch (error) {
    case EPERM:
    case EACCES: return errc::ring_not_permitted;
    case ENOSYS:
    case EINVAL: return errc::ring_unavailable;
    default: return {error, std::system_category()};
  }
}

std::string ring_error_text(int error) {
  switch (error) {
    case EPERM:
    case EACCES:
      return "io_uring is forbidden for this process. Either the system forbids it (`sysctl kernel.io_uring_disabled` must be 0, "
             "or 1 with this user in kernel.io_uring_group), or a seccomp filter does, as the default one of Docker and Podman: "
             "start the container with a profile that allows io_uring_setup, io_uring_enter and io_uring_register";
    case ENOMEM:
      return "not enough lockable memory for io_uring's queues. Raise the limit (`ulimit -l`, LimitMEMLOCK= of a systemd unit, "
             "--ulimit memlock= of a container), or ask for smaller queues in loop_options";
    case ENOSYS: return "this kernel has no io_uring. rdsco needs Linux 6.1 or newer";
    case EINVAL: return "this kernel's io_uring is too old. rdsco needs Linux 6.1 or newer";
    case EMFILE:
    case ENFILE: return "no descriptor left for io_uring. Raise the limit of open files (`ulimit -n`)";
    default: return "io_uring could not be set up";
  }
}

void throw_ring_error(int error) { throw std::system_error(ring_error_code(error), ring_error_text(error)); }

}  // namespace rdsco::detail
