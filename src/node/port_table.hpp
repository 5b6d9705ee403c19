// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace rdsco::detail {

class socket_core;

/// Which socket has a port of one address. Open addressing with linear probing, because every received datagram looks here.
class port_table {
 public:
  [[nodiscard]] socket_core* find(std::uint16_t port) const noexcept {
    if (slots_.empty()) return nullptr;
    for (std::size_t at = home(port);; at = next(at)) {
      slot const& here = slots_[at];
      if (here.socket == nullptr) return nullptr;
      if (here.port == port) return here.socket;
    }
  }
  /// The next insert() allocates nothing.
  void make_room() {
    if ((size_ + 1) * 2 > slots_.size()) grow();
  }
  /// The port is not in the table.
  void insert(std::uint16_t port, socket_core& socket);
  void erase(std::uint16_t port) noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  template <class F>
  void for_each(F each) const {
    for (slot const& here : slots_)
      if (here.socket != nullptr) each(*here.socket);
  }

 private:
  struct slot {
    socket_core* socket = nullptr;
    std::uint16_t port = 0;
  };
  // Multiplicative hashing spreads the runs of neighbouring ports that programs like to bind.
  [[nodiscard]] std::size_t home(std::uint16_t port) const noexcept {
    return (port * std::uint32_t{2654435761u} >> 16) & (slots_.size() - 1);
  }
  [[nodiscard]] std::size_t next(std::size_t at) const noexcept { return (at + 1) & (slots_.size() - 1); }
  void grow();

  std::vector<slot> slots_;
  std::size_t size_ = 0;
};

}  // namespace rdsco::detail
