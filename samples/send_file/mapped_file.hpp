// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cerrno>
#include <cstddef>
#include <fcntl.h>
#include <span>
#include <string>
#include <sys/mman.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

/// A file as memory. Empty files are not.
class mapped_file {
 public:
  /// As it is. Adapters want memory that may be written, so it is mapped privately: nothing that happens to it reaches the file, and
  /// registering it makes the kernel's own copy of each page. A shared mapping would save that, where shared ones are permitted: below.
  [[nodiscard]] static mapped_file to_read(std::string const& path) { return mapped_file(path, O_RDONLY, 0); }
  /// Made with so many bytes, which are the file's own pages. For adapters, /dev/shm and hugetlbfs permit that; since Linux 6.5 file
  /// systems on disks do not, and the memory cannot be registered.
  [[nodiscard]] static mapped_file to_write(std::string const& path, std::size_t bytes) { return mapped_file(path, O_RDWR | O_CREAT | O_TRUNC, bytes); }

  mapped_file(mapped_file&& other) noexcept : memory_(std::exchange(other.memory_, {})) {}
  mapped_file& operator=(mapped_file&&) = delete;
  ~mapped_file() {
    if (!memory_.empty()) ::munmap(memory_.data(), memory_.size());
  }

  [[nodiscard]] std::span<std::byte> bytes() const { return memory_; }

 private:
  mapped_file(std::string const& path, int flags, std::size_t bytes) {
    int const file = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
    if (file < 0) throw std::system_error(errno, std::generic_category(), path);
    bool const writes = bytes != 0;
    struct stat is {};
    int failed = writes ? ::ftruncate(file, static_cast<off_t>(bytes)) : ::fstat(file, &is);
    std::size_t const size = writes ? bytes : static_cast<std::size_t>(is.st_size);
    void* const at = failed != 0 ? MAP_FAILED : ::mmap(nullptr, size, PROT_READ | PROT_WRITE, writes ? MAP_SHARED : MAP_PRIVATE, file, 0);
    int const why = errno;
    ::close(file);
    if (at == MAP_FAILED) throw std::system_error(why, std::generic_category(), path);
    memory_ = {static_cast<std::byte*>(at), size};
  }

  std::span<std::byte> memory_;
};
