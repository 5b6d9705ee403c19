// SPDX-License-Identifier: BSD-2-Clause
// What could go wrong: a walk that reads past the area, does not end, or sees an extension where the sender put none.
// How it is forced: any 16 bytes; what the walk hands out is built again and must be the same bytes up to where it stopped.
#include <algorithm>
#include <array>
#include <memory>

#include "fuzz/fuzz.hpp"
#include "protocol/extension.hpp"

using namespace rdsco::protocol;
using rdsco::fuzz::require;

namespace {

using area = std::array<std::byte, extension_bytes>;

void check_stop(area const& bytes, std::size_t position) {
  if (position == extension_bytes) return;
  auto const length = extension_data_bytes(static_cast<extension_type>(bytes[position]));
  require(!length || position + 1 + *length > extension_bytes);
}

void check_node(area const& bytes, extension_list list, std::size_t position) {
  auto const node = find_node_extension(bytes);
  require(parse_extensions(bytes).node == node);
  if (!node) return;
  require(list.append_node(*node));
  require(std::equal(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(position + node_extension_bytes),
                     list.bytes().begin()));
  require(!list.append_path_count(1));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  rdsco::fuzz::input in{data, size};
  // On the heap: a read past the area is then one that a sanitizer sees.
  auto const bytes = std::make_unique<area>();
  std::ranges::copy(in.bytes(extension_bytes), bytes->begin());
  extension_walk walk{*bytes};
  extension_list list;
  std::size_t count = 0;
  while (auto const found = walk.next()) {
    require(list.append(found->type, found->data));
    ++count;
  }
  std::size_t const position = walk.position();
  require(position <= extension_bytes && count <= position / 3);
  require(std::equal(bytes->begin(), bytes->begin() + static_cast<std::ptrdiff_t>(position), list.bytes().begin()));
  require(list.needs_flag() == (count > 1));
  check_stop(*bytes, position);
  check_node(*bytes, list, position);
  return 0;
}
