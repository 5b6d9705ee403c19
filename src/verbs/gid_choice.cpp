// SPDX-License-Identifier: BSD-2-Clause
#include "verbs/gid_choice.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include <arpa/inet.h>

namespace rdsco::verbs {

namespace {

bool carries(ibv_gid_entry const& one, address const& at) noexcept { return std::memcmp(one.gid.raw, at.bytes().data(), sizeof one.gid.raw) == 0; }

// The better, the higher. A port of InfiniBand has its GIDs from its subnet, whatever the addresses of its interface are.
int rank(ibv_gid_entry const& one, address const& at) noexcept {
  switch (one.gid_type) {
    case IBV_GID_TYPE_IB: return 1;
    case IBV_GID_TYPE_ROCE_V1: return carries(one, at) ? 2 : 0;
    case IBV_GID_TYPE_ROCE_V2: return carries(one, at) ? 3 : 0;
    default: return 0;
  }
}

std::string named(ibv_gid_entry const& one) {
  return "gid " + std::to_string(one.gid_index) + " (" + std::string(gid_type_name(one.gid_type)) + ')';
}

std::string list_of(std::vector<ibv_gid_entry> const& some) {
  constexpr std::size_t named_max = 4;
  std::string made;
  for (std::size_t index = 0; index < std::min(some.size(), named_max); ++index) made += (index == 0 ? "" : ", ") + named(some[index]);
  return some.size() > named_max ? made + " and more" : made;
}

std::string reason(ibv_gid_entry const& best, std::vector<ibv_gid_entry> const& others, address const& at) {
  if (best.gid_type == IBV_GID_TYPE_IB) return "the first of the port";
  std::string made = "carries " + at.to_string();
  for (ibv_gid_entry const& each : others)
    if (rank(each, at) != 0 && each.gid_type != best.gid_type) return made + ", and version 2 comes before version 1";
  return made;
}

}  // namespace

std::string_view gid_type_name(std::uint32_t type) noexcept {
  switch (type) {
    case IBV_GID_TYPE_IB: return "IB";
    case IBV_GID_TYPE_ROCE_V1: return "RoCE v1";
    case IBV_GID_TYPE_ROCE_V2: return "RoCE v2";
    default: return "unknown";
  }
}

std::string gid_text(ibv_gid const& gid) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  return ::inet_ntop(AF_INET6, gid.raw, text.data(), text.size()) == nullptr ? std::string() : std::string(text.data());
}

gid_choice choose_gid(std::span<ibv_gid_entry const> of_device, std::uint8_t port, address const& at) {
  std::vector<ibv_gid_entry> others;
  for (ibv_gid_entry const& each : of_device)
    if (each.port_num == port) others.push_back(each);
  std::ranges::sort(others, {}, &ibv_gid_entry::gid_index);
  // Of equals the first.
  auto const best = std::ranges::max_element(others, {}, [&](ibv_gid_entry const& each) { return rank(each, at); });
  gid_choice made;
  if (best == others.end() || rank(*best, at) == 0) {
    made.why = "no gid of the port carries " + at.to_string() + (others.empty() ? "; it has none" : "; it has " + list_of(others));
    return made;
  }
  made.chosen = *best;
  others.erase(best);
  made.why = reason(*made.chosen, others, at);
  if (!others.empty()) made.why += "; " + std::to_string(others.size()) + (others.size() == 1 ? " other: " : " others: ") + list_of(others);
  return made;
}

}  // namespace rdsco::verbs
