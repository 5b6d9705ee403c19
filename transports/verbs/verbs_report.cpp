// SPDX-License-Identifier: BSD-2-Clause
#include "transports/verbs/verbs_transport.hpp"
#include "verbs/gid_choice.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace rdsco::detail {

namespace {

std::vector<ibv_gid_entry> gids_of(verbs::api& calls, ibv_context* device) {
  constexpr std::size_t gids_max = 1024;  // two ports of an adapter with long tables
  std::vector<ibv_gid_entry> found(gids_max);
  int const count = calls.query_gids(device, found);
  found.resize(static_cast<std::size_t>(std::max(count, 0)));
  return found;
}

std::string place(ibv_gid_entry const& one) {
  return "gid " + std::to_string(one.gid_index) + " (" + std::string(verbs::gid_type_name(one.gid_type)) + ')';
}

}  // namespace

void verbs_transport::describe(local_host const& host, verbs_address_row& row) {
  row.at = host.at;
  row.transport = name();
  rdma_cm_id* const id = listener_id(host);
  ibv_context* const device = id == nullptr ? nullptr : api_->device_of(id);
  if (device == nullptr) {
    row.why = "no adapter carries it now";
    return;
  }
  row.device = api_->device_name(device);
  row.port = api_->port_of(id);
  if (!can_.gids) {
    row.why = "the adapter's interface carries it";
    return;
  }
  auto const gids = gids_of(*api_, device);
  auto const choice = verbs::choose_gid(gids, api_->port_of(id), host.at);
  row.why = choice.why;
  if (!choice.chosen) return;
  row.gid_index = static_cast<int>(choice.chosen->gid_index);
  row.gid = verbs::gid_text(choice.chosen->gid);
  row.gid_type = verbs::gid_type_name(choice.chosen->gid_type);
}

void verbs_transport::describe_path(address const& local, rdma_cm_id* id, ibv_qp* pair, ib_row& row) {
  verbs::pair_path path;
  if (!can_.gids || api_->query_path(id, pair, path) != 0) return;
  row.port = path.port;
  row.service_level = path.service_level;
  row.local_gid = verbs::gid_text(path.local);
  row.peer_gid = verbs::gid_text(path.peer);
  if (path.gid_index < 0) return;
  row.gid_index = path.gid_index;
  auto const gids = gids_of(*api_, api_->device_of(id));
  auto const used = std::ranges::find_if(gids, [&](ibv_gid_entry const& each) {
    return each.port_num == path.port && static_cast<int>(each.gid_index) == path.gid_index;
  });
  if (used == gids.end()) return;
  row.gid_type = verbs::gid_type_name(used->gid_type);
  auto const expected = verbs::choose_gid(gids, path.port, local).chosen;
  if (!expected || expected->gid_index == used->gid_index) return;
  row.note = "the connection manager took " + place(*used) + " where " + place(*expected) +
             " was expected; its RoCE mode decides (/sys/kernel/config/rdma_cm)";
}

}  // namespace rdsco::detail
