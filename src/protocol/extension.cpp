// SPDX-License-Identifier: BSD-2-Clause
#include "protocol/extension.hpp"

#include <cstring>

#include "protocol/byte_order.hpp"

namespace rdsco::protocol {
namespace {

extension_type type_at(std::span<std::byte const, extension_bytes> area, std::size_t position) noexcept {
  return static_cast<extension_type>(std::to_integer<std::uint8_t>(area[position]));
}

std::uint32_t u32_at(std::span<std::byte const> data, std::size_t at) noexcept {
  return load_big_endian<std::uint32_t>(data.data() + at);
}

void take_value(extension_values& values, extension const& found) noexcept {
  switch (found.type) {
    case extension_type::version: values.version = u32_at(found.data, 0); break;
    case extension_type::rdma: values.rdma_key = u32_at(found.data, 0); break;
    case extension_type::rdma_destination:
      values.rdma_destination = rdma_cookie{u32_at(found.data, 0), u32_at(found.data, 4)};
      break;
    case extension_type::path_count: values.path_count = load_big_endian<std::uint16_t>(found.data.data()); break;
    case extension_type::generation: values.generation = u32_at(found.data, 0); break;
    default: break;
  }
}

std::optional<node_extension> node_at(std::span<std::byte const, extension_bytes> area, std::size_t position) noexcept {
  if (position + node_extension_bytes > extension_bytes || type_at(area, position) != extension_type::node) {
    return std::nullopt;
  }
  auto const data = area.subspan(position + 1, node_extension_bytes - 1);
  node_extension const node{std::to_integer<std::uint8_t>(data[0]), std::to_integer<std::uint8_t>(data[1]), u32_at(data, 2)};
  return node.version == 0 ? std::nullopt : std::optional{node};
}

std::optional<wide_cookie> wide_destination_at(std::span<std::byte const, extension_bytes> area, std::size_t position) noexcept {
  bool const there = position + wide_destination_bytes <= extension_bytes && type_at(area, position) == extension_type::wide_destination;
  if (!there) return std::nullopt;
  auto const data = area.subspan(position + 1, wide_destination_bytes - 1);
  std::uint64_t const high = load_big_endian<std::uint16_t>(data.data() + 4);
  return wide_cookie{u32_at(data, 0), high << 32 | u32_at(data, 6)};
}

std::optional<std::uint8_t> offer_flags_at(std::span<std::byte const, extension_bytes> area, std::size_t position) noexcept {
  if (position + 2 > extension_bytes || type_at(area, position) != extension_type::offer_flags) return std::nullopt;
  return std::to_integer<std::uint8_t>(area[position + 1]);
}

std::array<std::byte, 4> bytes_of(std::uint32_t value) noexcept {
  std::array<std::byte, 4> bytes;
  store_big_endian(bytes.data(), value);
  return bytes;
}

}  // namespace

std::optional<extension> extension_walk::next() noexcept {
  if (position_ >= extension_bytes) {
    return std::nullopt;
  }
  extension_type const type = type_at(area_, position_);
  auto const data_bytes = extension_data_bytes(type);
  if (!data_bytes || position_ + 1 + *data_bytes > extension_bytes) {
    return std::nullopt;
  }
  extension const found{type, area_.subspan(position_ + 1, *data_bytes)};
  position_ += 1 + *data_bytes;
  return found;
}

extension_values parse_extensions(std::span<std::byte const, extension_bytes> area) noexcept {
  extension_values values;
  extension_walk walk{area};
  while (auto const found = walk.next()) {
    take_value(values, *found);
  }
  values.node = node_at(area, walk.position());
  values.wide_destination = wide_destination_at(area, walk.position());
  values.offer_flags = offer_flags_at(area, walk.position());
  return values;
}

std::optional<node_extension> find_node_extension(std::span<std::byte const, extension_bytes> area) noexcept {
  extension_walk walk{area};
  while (walk.next()) {
  }
  return node_at(area, walk.position());
}

bool extension_list::place(extension_type type, std::span<std::byte const> data) noexcept {
  if (closed_ || used_ + 1 + data.size() > extension_bytes) {
    return false;
  }
  bytes_[used_] = static_cast<std::byte>(type);
  std::memcpy(bytes_.data() + used_ + 1, data.data(), data.size());
  used_ += 1 + data.size();
  return true;
}

bool extension_list::append(extension_type type, std::span<std::byte const> data) noexcept {
  if (extension_data_bytes(type) != data.size() || !place(type, data)) {
    return false;
  }
  ++count_;
  return true;
}

bool extension_list::append_version(std::uint32_t version) noexcept {
  auto const data = bytes_of(version);
  return append(extension_type::version, data);
}

bool extension_list::append_rdma(std::uint32_t key) noexcept {
  auto const data = bytes_of(key);
  return append(extension_type::rdma, data);
}

bool extension_list::append_rdma_destination(rdma_cookie cookie) noexcept {
  std::array<std::byte, 8> data;
  store_big_endian(data.data(), cookie.key);
  store_big_endian(data.data() + 4, cookie.offset);
  return append(extension_type::rdma_destination, data);
}

bool extension_list::append_path_count(std::uint16_t paths) noexcept {
  std::array<std::byte, 2> data;
  store_big_endian(data.data(), paths);
  return append(extension_type::path_count, data);
}

bool extension_list::append_generation(std::uint32_t generation) noexcept {
  auto const data = bytes_of(generation);
  return append(extension_type::generation, data);
}

bool extension_list::append_node(node_extension node) noexcept {
  std::array<std::byte, node_extension_bytes - 1> data;
  data[0] = std::byte{node.version};
  data[1] = std::byte{node.features};
  store_big_endian(data.data() + 2, node.generation);
  if (node.version == 0 || !place(extension_type::node, data)) {
    return false;
  }
  closed_ = true;
  return true;
}

bool extension_list::append_wide_destination(wide_cookie cookie) noexcept {
  std::array<std::byte, wide_destination_bytes - 1> data;
  store_big_endian(data.data(), cookie.key);
  store_big_endian(data.data() + 4, static_cast<std::uint16_t>(cookie.address >> 32));
  store_big_endian(data.data() + 6, static_cast<std::uint32_t>(cookie.address));
  if (cookie.address > wide_address_max || !place(extension_type::wide_destination, data)) return false;
  closed_ = true;
  return true;
}

bool extension_list::append_offer_flags(std::uint8_t flags) noexcept {
  std::byte const data[1] = {std::byte{flags}};
  if (!place(extension_type::offer_flags, data)) return false;
  closed_ = true;
  return true;
}

}  // namespace rdsco::protocol
