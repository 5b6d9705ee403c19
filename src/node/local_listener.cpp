// SPDX-License-Identifier: BSD-2-Clause
#include "node/local_listener.hpp"

#include <rdsco/error.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace rdsco::detail {

namespace {

constexpr int backlog = 16;
constexpr mode_t owner_only = 0700;

std::error_code system_error() noexcept { return {errno, std::generic_category()}; }

bool fill(sockaddr_un& to, std::string const& path) noexcept {
  if (path.empty() || path.size() >= sizeof to.sun_path || path.find('\0') != path.npos) return false;
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, path.c_str(), path.size() + 1);
  return true;
}

std::error_code bind_to(int socket, sockaddr_un const& at) noexcept {
  return ::bind(socket, reinterpret_cast<sockaddr const*>(&at), sizeof at) == 0 ? std::error_code() : system_error();
}

bool is_socket(char const* path) noexcept {
  struct stat found {};
  return ::lstat(path, &found) == 0 && S_ISSOCK(found.st_mode);
}

bool somebody_listens(sockaddr_un const& at) noexcept {
  owned_descriptor const probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe) return true;
  if (::connect(probe.get(), reinterpret_cast<sockaddr const*>(&at), sizeof at) == 0) return true;
  return errno != ECONNREFUSED;
}

/// Between finding nobody and taking the place somebody else could have taken it: one at a time in each directory.
owned_descriptor lock_directory_of(std::string const& path) noexcept {
  auto const slash = path.rfind('/');
  std::string const directory = slash == path.npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  owned_descriptor locked(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (locked && ::flock(locked.get(), LOCK_EX) != 0) return {};
  return locked;
}

bool may_be_served(int client) noexcept {
  ucred who{};
  socklen_t length = sizeof who;
  if (::getsockopt(client, SOL_SOCKET, SO_PEERCRED, &who, &length) != 0) return false;
  return who.uid == ::geteuid() || who.uid == 0;
}

}  // namespace

owned_descriptor::owned_descriptor(owned_descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}

owned_descriptor& owned_descriptor::operator=(owned_descriptor&& other) noexcept {
  std::swap(number_, other.number_);
  return *this;
}

owned_descriptor::~owned_descriptor() {
  if (number_ >= 0) ::close(number_);
}

std::error_code local_listener::open(std::string const& path) {
  sockaddr_un at{};
  if (!fill(at, path)) return errc::invalid_address;
  owned_descriptor made(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // unix(7) as Linux does it: the file gets the mode of the socket, so that there is no moment with a wider one.
  if (!made || ::fchmod(made.get(), owner_only) != 0) return system_error();
  auto const locked = lock_directory_of(path);
  if (!locked) return system_error();
  auto bound = bind_to(made.get(), at);
  if (bound == std::errc::address_in_use && is_socket(at.sun_path) && !somebody_listens(at)) {
    if (::unlink(at.sun_path) != 0) return system_error();
    bound = bind_to(made.get(), at);
  }
  if (bound == std::errc::address_in_use) return errc::address_in_use;
  if (bound) return bound;
  struct stat own {};
  if (::listen(made.get(), backlog) != 0 || ::lstat(at.sun_path, &own) != 0) return system_error();
  socket_ = std::move(made);
  path_ = path;
  device_ = own.st_dev;
  inode_ = own.st_ino;
  return {};
}

owned_descriptor local_listener::accept(std::error_code& why) noexcept {
  for (;;) {
    owned_descriptor client(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (client && !may_be_served(client.get())) continue;
    if (client) return client;
    if (errno == EINTR || errno == ECONNABORTED) continue;
    why = errno == EAGAIN ? make_error_code(errc::would_block) : system_error();
    return {};
  }
}

void local_listener::close() noexcept {
  if (!socket_) return;
  struct stat found {};
  bool const still_ours = ::lstat(path_.c_str(), &found) == 0 && found.st_dev == device_ && found.st_ino == inode_;
  if (still_ours) ::unlink(path_.c_str());
  socket_ = owned_descriptor();
}

}  // namespace rdsco::detail
