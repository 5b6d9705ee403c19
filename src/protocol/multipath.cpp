// SPDX-License-Identifier: BSD-2-Clause
#include "protocol/multipath.hpp"

#include <cassert>

namespace rdsco::protocol {
namespace {

header make_handshake(std::uint16_t source_port, std::uint16_t destination_port, std::optional<node_extension> node) noexcept {
  extension_list list;
  [[maybe_unused]] bool fits = list.append_path_count(announced_paths);
  if (node) {
    fits = list.append_node(*node) && fits;
  }
  assert(fits && "a node extension has a version of at least 1");
  header h;
  h.source_port = source_port;
  h.destination_port = destination_port;
  h.extensions = list.bytes();
  return h;
}

}  // namespace

header make_probe(std::optional<node_extension> node) noexcept { return make_handshake(probe_port, ping_port, node); }

header make_probe_pong(std::optional<node_extension> node) noexcept { return make_handshake(ping_port, probe_port, node); }

header make_pong(std::uint16_t to_port) noexcept {
  header h;
  h.source_port = ping_port;
  h.destination_port = to_port;
  return h;
}

path_offer parse_offer(header const& h) noexcept {
  extension_values const values = parse_extensions(h.extensions);
  path_offer offer;
  if (values.path_count) {
    offer.paths = clamp_paths(*values.path_count);
  }
  offer.node = values.node;
  offer.generation = values.node && values.node->generation != 0 ? values.node->generation : values.generation.value_or(0);
  return offer;
}

}  // namespace rdsco::protocol
