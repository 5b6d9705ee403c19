// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/buffer.hpp>
#include <rdsco/endpoint.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

// How two ends of a stress test agree: the control protocol of rds-stress, versions 2.0.6 and 2.0.7, over TCP.
//
//   active  -> passive   the parameters: 59 bytes (2.0.6), or 77 (2.0.7)
//   both                 bind one RDS socket for each task: receive address, starting port + 1 + task
//   active  -> passive   one byte: go
//   passive -> active    one byte: gone
//   ... requests and acknowledgements over RDS ...
//   active  -> passive   anything, or the end of the stream: stop
//
// Two rdsco ends know each other by what rds-stress ignores: the bytes behind the version's terminator, and the value of the
// byte that answers `go`. They fill their datagrams so that every byte can be checked (stress_filling), and account for what is under way at the end: after `stop` each goes on to answer, the
// passive one writes its account (one line of JSON) once all its requests were answered, and the active one hangs up last.
namespace rdsco::tools {

struct stress_parameters {
  static constexpr std::size_t bytes_2_0_6 = 59;
  static constexpr std::size_t bytes_2_0_7 = 77;
  static constexpr std::size_t version_bytes = 16;
  // What a hostile other end could make grow.
  static constexpr std::uint32_t tasks_max = 256;
  static constexpr std::uint32_t depth_max = 65535;
  static constexpr std::uint32_t rdma_vector_max = 512;
  /// RDS ports behind it are for the tasks; the last ones are the node's own.
  static constexpr std::uint16_t starting_port_max = 65518;

  std::uint32_t depth = 1;
  std::uint32_t request_bytes = 1024;
  std::uint32_t acknowledgement_bytes = 63;
  std::uint32_t rdma_bytes = 0;   ///< that go with each request, times the vector; 0: none
  std::uint32_t rdma_vector = 1;  ///< pieces that they are gathered from or scattered to
  std::uint8_t rdma_mode = 0;     ///< reads and writes by turns; 1: reads, 2: writes
  std::uint32_t send_host = 0, receive_host = 0;
  std::uint16_t starting_port = 4000;
  std::uint16_t tasks = 1;
  std::uint32_t run_seconds = 0;  ///< 0: until somebody stops it
  bool summary_only = false;
  bool verify = true;
  bool simplex = false;
  std::uint8_t type_of_service = 0;
  bool from_rdsco = false;

  stress_parameters() noexcept = default;

  using wire = std::array<std::byte, bytes_2_0_7>;
  [[nodiscard]] wire encode() const noexcept;
  /// The older layout: the same without version, type of service and whatever comes behind.
  [[nodiscard]] std::array<std::byte, bytes_2_0_6> encode_2_0_6() const noexcept;
  /// How many bytes follow the first 16.
  [[nodiscard]] static std::size_t bytes_after(std::span<std::byte const, version_bytes> first) noexcept;
  /// `from` holds 59 or 77 bytes.
  [[nodiscard]] static stress_parameters decode(const_buffer from) noexcept;

  /// What is wrong with them, in words; nothing when they can be run.
  [[nodiscard]] std::optional<std::string> problem() const;

 private:
  [[nodiscard]] std::optional<std::string> rdma_problem() const;
};

inline constexpr std::byte stress_go{0x47};
inline constexpr std::byte stress_gone{0x72};  ///< from an rdsco end to an rdsco end; else `go` comes back
inline constexpr std::byte stress_stop{0x53};

}  // namespace rdsco::tools
