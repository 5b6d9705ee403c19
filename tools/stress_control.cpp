// SPDX-License-Identifier: BSD-2-Clause
#include "tools/stress_control.hpp"

#include "protocol/byte_order.hpp"
#include "tools/stress_header.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <string_view>

namespace rdsco::tools {

namespace {

using protocol::load_big_endian;
using protocol::store_big_endian;

constexpr std::string_view version("2.0.7\0", 6);
constexpr std::string_view rdsco_mark("rdsco\0", 6);

constexpr std::uint64_t outstanding_max = 4u << 20;
constexpr std::uint64_t rdma_memory_max = 1u << 30;

// Places of the 59 bytes.
enum place : std::size_t {
  depth_at = 0, request_at = 4, acknowledgement_at = 8, rdma_at = 12, send_host_at = 16, receive_host_at = 20, port_at = 24,
  tasks_at = 26, seconds_at = 28, summary_at = 32, verify_at = 35, monitor_at = 38, fence_at = 41, simplex_at = 45, mode_at = 46, vector_at = 47
};

bool begins_with(std::byte const* bytes, std::string_view text) noexcept {
  return std::equal(text.begin(), text.end(), bytes, [](char a, std::byte b) { return static_cast<std::byte>(a) == b; });
}

void put(std::byte* bytes, std::string_view text) noexcept {
  std::transform(text.begin(), text.end(), bytes, [](char c) { return static_cast<std::byte>(c); });
}

}  // namespace

std::array<std::byte, stress_parameters::bytes_2_0_6> stress_parameters::encode_2_0_6() const noexcept {
  std::array<std::byte, bytes_2_0_6> made{};
  store_big_endian<std::uint32_t>(made.data() + depth_at, depth);
  store_big_endian<std::uint32_t>(made.data() + request_at, request_bytes);
  store_big_endian<std::uint32_t>(made.data() + acknowledgement_at, acknowledgement_bytes);
  store_big_endian<std::uint32_t>(made.data() + rdma_at, rdma_bytes);
  store_big_endian<std::uint32_t>(made.data() + send_host_at, send_host);
  store_big_endian<std::uint32_t>(made.data() + receive_host_at, receive_host);
  store_big_endian<std::uint16_t>(made.data() + port_at, starting_port);
  store_big_endian<std::uint16_t>(made.data() + tasks_at, tasks);
  store_big_endian<std::uint32_t>(made.data() + seconds_at, run_seconds);
  made[summary_at] = std::byte(summary_only);
  made[verify_at] = std::byte(verify);
  made[monitor_at] = std::byte{1};  // rds-stress's default: the other end asks its kernel for congestion news
  made[fence_at] = std::byte{1};
  made[simplex_at] = std::byte(simplex);
  made[mode_at] = std::byte(rdma_mode);
  store_big_endian<std::uint32_t>(made.data() + vector_at, rdma_vector);
  return made;
}

stress_parameters::wire stress_parameters::encode() const noexcept {
  wire made{};
  put(made.data(), version);
  put(made.data() + version.size(), rdsco_mark);
  auto const rest = encode_2_0_6();
  std::copy(rest.begin(), rest.end(), made.begin() + version_bytes);
  made[version_bytes + bytes_2_0_6] = static_cast<std::byte>(type_of_service);
  return made;
}

std::size_t stress_parameters::bytes_after(std::span<std::byte const, version_bytes> first) noexcept {
  return (begins_with(first.data(), version) ? bytes_2_0_7 : bytes_2_0_6) - version_bytes;
}

stress_parameters stress_parameters::decode(const_buffer from) noexcept {
  bool const versioned = from.size() == bytes_2_0_7;
  std::byte const* const at = from.data() + (versioned ? version_bytes : 0);
  stress_parameters made;
  made.depth = load_big_endian<std::uint32_t>(at + depth_at);
  made.request_bytes = load_big_endian<std::uint32_t>(at + request_at);
  made.acknowledgement_bytes = load_big_endian<std::uint32_t>(at + acknowledgement_at);
  made.rdma_bytes = load_big_endian<std::uint32_t>(at + rdma_at);
  made.send_host = load_big_endian<std::uint32_t>(at + send_host_at);
  made.receive_host = load_big_endian<std::uint32_t>(at + receive_host_at);
  made.starting_port = load_big_endian<std::uint16_t>(at + port_at);
  made.tasks = load_big_endian<std::uint16_t>(at + tasks_at);
  made.run_seconds = load_big_endian<std::uint32_t>(at + seconds_at);
  made.summary_only = at[summary_at] != std::byte{0};
  made.verify = at[verify_at] != std::byte{0};
  made.simplex = at[simplex_at] != std::byte{0};
  made.rdma_mode = std::to_integer<std::uint8_t>(at[mode_at]);
  made.rdma_vector = load_big_endian<std::uint32_t>(at + vector_at);
  if (!versioned) return made;
  made.type_of_service = std::to_integer<std::uint8_t>(at[bytes_2_0_6]);
  made.from_rdsco = begins_with(from.data() + version.size(), rdsco_mark);
  return made;
}

std::optional<std::string> stress_parameters::rdma_problem() const {
  if (rdma_bytes == 0) return std::nullopt;
  if (rdma_vector == 0 || rdma_vector > rdma_vector_max) return fmt::format("RDMA of {} pieces: 1 to {} are possible", rdma_vector, rdma_vector_max);
  auto const bytes = std::uint64_t(rdma_bytes) * rdma_vector;
  if (bytes > stress_bytes_max) return fmt::format("RDMA of {} times {} bytes: {} are possible together", rdma_vector, rdma_bytes, stress_bytes_max);
  if (rdma_mode > 2) return fmt::format("RDMA mode {}: 0 to 2 are possible", rdma_mode);
  if (bytes * 2 * depth * tasks * tasks > rdma_memory_max)
    return fmt::format("RDMA of {} bytes at depth {} for each of {} x {} pairs of tasks is more memory than {} bytes", bytes, depth, tasks, tasks, rdma_memory_max);
  return std::nullopt;
}

std::optional<std::string> stress_parameters::problem() const {
  auto const fits = [](std::uint32_t bytes) { return bytes >= stress_header::bytes && bytes <= stress_bytes_max; };
  if (!fits(request_bytes)) return fmt::format("requests of {} bytes: {} to {} are possible", request_bytes, stress_header::bytes, stress_bytes_max);
  if (!fits(acknowledgement_bytes))
    return fmt::format("acknowledgements of {} bytes: {} to {} are possible", acknowledgement_bytes, stress_header::bytes, stress_bytes_max);
  if (tasks == 0 || tasks > tasks_max) return fmt::format("{} tasks: 1 to {} are possible", tasks, tasks_max);
  if (depth == 0 || depth > depth_max) return fmt::format("depth {}: 1 to {} are possible", depth, depth_max);
  if (std::uint64_t(depth) * tasks * tasks > outstanding_max)
    return fmt::format("depth {} for each of {} x {} pairs of tasks is too much: {} requests may be outstanding", depth, tasks, tasks, outstanding_max);
  if (auto const wrong = rdma_problem()) return wrong;
  if (starting_port < 1 || starting_port + tasks > starting_port_max + 1)
    return fmt::format("RDS ports {} to {}: 2 to {} are possible", starting_port + 1, starting_port + tasks, starting_port_max + 1);
  return std::nullopt;
}

}  // namespace rdsco::tools
