// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "node/offer_core.hpp"

#include <rdsco/detail/remote_work.hpp>
#include <rdsco/error.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace rdsco::detail {

/// Memory that sockets of one node offer each other: an operation on it is checked, and its bytes are copied.
class direct_memory {
 public:
  /// Gives it its key. Errors: limit_reached, out_of_memory.
  [[nodiscard]] errc add(offer_core& offered) noexcept;
  void remove(offer_core const& over) noexcept;

  /// Carries an operation of `peer` out, at once. Errors: remote_access; not_registered where its own memory is not any more.
  [[nodiscard]] errc carry_out(remote_work& work, connection const& peer) noexcept;

 private:
  // A key is a place, and how often that was used: one that is over is no other's key soon.
  static constexpr unsigned place_bits = 20;
  struct place {
    offer_core* offered = nullptr;
    std::uint32_t uses = 0;
  };
  [[nodiscard]] offer_core* find(std::uint32_t key) const noexcept;
  [[nodiscard]] static errc permitted(offer_core const& offered, remote_work const& work) noexcept;

  std::vector<place> places_;
  std::vector<std::uint32_t> free_;
};

}  // namespace rdsco::detail
