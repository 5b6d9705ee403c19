// SPDX-License-Identifier: BSD-2-Clause
#include "verbs/open_devices.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <mutex>
#include <new>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace rdsco::verbs {

namespace {

/// What of a device is in use. Its ibv_context is the library's, and is not looked at after hold_device().
struct open_device {
  ibv_context const* native = nullptr;
  int commands = -1, events = -1;
  struct stat file {};  // of `commands`
  std::size_t users = 0;
  bool removed = false;
};

std::mutex guard;
// Never destroyed: a node may live longer than what is static here.
std::vector<open_device>& all() {
  static auto& made = *new std::vector<open_device>;
  return made;
}

// The numbers stay taken, by something that holds nothing up, because the library closes them in the end.
void close_files(open_device const& of) noexcept {
  struct stat now {};
  bool const still_open = ::fstat(of.commands, &now) == 0 && now.st_dev == of.file.st_dev && now.st_ino == of.file.st_ino;
  if (!still_open) return;
  int const nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (nothing < 0) return;
  static_cast<void>(::dup3(nothing, of.commands, O_CLOEXEC));
  static_cast<void>(::dup3(nothing, of.events, O_CLOEXEC));
  ::close(nothing);
}

}  // namespace

int hold_device(ibv_context const* device) noexcept {
  std::lock_guard const locked(guard);
  try {
    auto found = std::ranges::find(all(), device, &open_device::native);
    if (found == all().end()) {
      open_device made;
      made.native = device;
      made.commands = device->cmd_fd;
      made.events = device->async_fd;
      if (::fstat(made.commands, &made.file) != 0) return -errno;
      all().push_back(made);
      found = all().end() - 1;
    }
    ++found->users;
    return 0;
  } catch (std::bad_alloc const&) {
    return -ENOMEM;
  }
}

void let_go_of_device(ibv_context const* device, bool removed) noexcept {
  std::lock_guard const locked(guard);
  auto const found = std::ranges::find(all(), device, &open_device::native);
  found->removed |= removed;
  if (--found->users != 0) return;
  if (found->removed) close_files(*found);
  all().erase(found);
}

}  // namespace rdsco::verbs
