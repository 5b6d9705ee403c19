// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "tools/stress_control.hpp"
#include "tools/stress_header.hpp"

#include <rdsco/region.hpp>
#include <rdsco/socket.hpp>

#include <cstdint>
#include <optional>
#include <vector>

namespace rdsco::tools {

/// The memory of one flow: that which its requests offer, and that from which it answers, a part for each that may be outstanding.
/// The other end writes what follows from its answer's header, or reads what follows from the request's.
class stress_memory {
 public:
  stress_memory(stress_parameters const& agreed, socket& own, address const& peer) noexcept : agreed_(agreed), own_(own), peer_(peer) {}

  [[nodiscard]] bool used() const noexcept { return agreed_.rdma_bytes != 0; }
  /// Errors: those of registering.
  [[nodiscard]] task<result<>> open();

  /// Whether the other end is to write or to read for the nth request of a flow.
  [[nodiscard]] bool writes(std::uint64_t nth) const noexcept;

  /// Offers the part of this question. Errors: those of offering.
  [[nodiscard]] task<result<>> offer(std::uint16_t which, std::uint64_t nth);
  /// Before it is sent. `request`: its header.
  void fill(std::uint16_t which, std::uint64_t nth, stress_header const& request) noexcept;
  [[nodiscard]] memory_offer const& offered(std::uint16_t which) const noexcept { return asked_[which].offered; }
  /// Withdraws it, and says whether that part holds what it has to after this answer.
  [[nodiscard]] bool take_back(std::uint16_t which, stress_header const& answer) noexcept;

  /// What to do with the memory of the nth request, from the part of this answer, and then send `then`. Errors: those of the operation.
  [[nodiscard]] task<result<>> work_on(std::uint16_t which, remote_memory const& of, std::uint64_t nth, stress_header const& answer,
                                       const_buffers then);
  /// Whether what was read there for that request, whose header is `request`, is what has to be there.
  [[nodiscard]] bool right(std::uint16_t which, std::uint64_t nth, stress_header const& request) const noexcept;

  std::uint64_t bytes_in = 0, bytes_out = 0;  ///< that this end read and wrote

 private:
  struct question {
    stress_header request;
    std::uint64_t nth = 0;
    memory_offer offered;
    question() = default;
  };
  [[nodiscard]] std::size_t part_bytes() const noexcept { return std::size_t(agreed_.rdma_bytes) * agreed_.rdma_vector; }
  [[nodiscard]] mutable_buffer part(std::size_t which) noexcept { return mutable_buffer(bytes_).subspan(which * part_bytes(), part_bytes()); }
  [[nodiscard]] const_buffer part(std::size_t which) const noexcept { return const_buffer(bytes_).subspan(which * part_bytes(), part_bytes()); }
  [[nodiscard]] std::size_t for_answer(std::uint16_t which) const noexcept { return agreed_.depth + which; }
  [[nodiscard]] const_buffer content(stress_header const& of) const noexcept { return stress_payload(of, part_bytes(), stress_filling::by_name); }

  stress_parameters const& agreed_;
  socket& own_;
  address peer_;
  std::vector<std::byte> bytes_;       // a part for each question, then one for each answer
  std::vector<region_slice> vector_;   // of the parts for answers
  region whole_;
  std::vector<question> asked_;
};

}  // namespace rdsco::tools
