// SPDX-License-Identifier: BSD-2-Clause
#include "node/node_core.hpp"

#include <nlohmann/json.hpp>

namespace rdsco::detail {

namespace {

using json = nlohmann::ordered_json;  // the kernel's counters in the kernel's order

char const* to_text(acknowledgement_mode mode) noexcept {
  switch (mode) {
    case acknowledgement_mode::frames: return "frames";
    case acknowledgement_mode::pongs: return "pongs";
    case acknowledgement_mode::transport: return "transport";
    case acknowledgement_mode::unknown: break;
  }
  return "unknown";
}

connection_row row_of(connection& each, std::string_view transport) {
  connection_row made;
  made.local = each.key.local;
  made.peer = each.key.peer;
  made.type_of_service = each.key.type_of_service;
  made.transport = transport;
  made.next_sent = each.lane.numbers.next();
  made.next_received = each.lane.received.expected();
  auto const state = each.lane.state.state();
  auto const letters = protocol::info_letters(protocol::info_flags(state, each.lane.has_unsent()));
  made.flags.assign(letters.begin(), letters.end());
  made.drops = each.lane.state.drops();
  made.acknowledged_by = to_text(each.lane.mode);
  if (auto const why = each.by->trouble()) made.trouble = why.message();
  return made;
}

void add_queue(std::vector<message_row>& rows, connection& each, datagram_list& queue) {
  for (datagram& one : queue)
    rows.push_back({endpoint(each.key.local, one.source_port), endpoint(each.key.peer, one.destination_port),
                    each.key.type_of_service, one.sequence, one.length});
}

json json_of(message_row const& row) {
  return {{"from", row.from.to_string()}, {"to", row.to.to_string()}, {"tos", row.type_of_service},
          {"sequence", row.sequence}, {"bytes", row.bytes}};
}

json json_of(std::vector<message_row> const& rows) {
  auto made = json::array();
  for (auto const& row : rows) made.push_back(json_of(row));
  return made;
}

json json_of(socket_row const& row) {
  return {{"bound", row.bound.to_string()}, {"connected", row.connected.to_string()}, {"send_buffer", row.send_buffer},
          {"receive_buffer", row.receive_buffer}, {"unacknowledged_bytes", row.unacknowledged_bytes},
          {"unread_bytes", row.unread_bytes}, {"id", row.id}};
}

json json_of(connection_row const& row) {
  return {{"local", row.local.to_string()}, {"peer", row.peer.to_string()}, {"tos", row.type_of_service},
          {"transport", row.transport}, {"next_tx", row.next_sent}, {"next_rx", row.next_received},
          {"flags", row.flags}, {"drops", row.drops}, {"acknowledged_by", row.acknowledged_by},
          {"trouble", row.trouble}};
}

json json_of(tcp_row const& row) {
  return {{"local", row.local.to_string()}, {"peer", row.peer.to_string()}, {"header_remaining", row.header_remaining},
          {"data_remaining", row.data_remaining}, {"sent", row.sent},
          {"expected_acknowledged", row.expected_acknowledged}, {"acknowledged", row.acknowledged}};
}

json json_of(std::optional<std::uint32_t> const& number) { return number ? json(*number) : json(nullptr); }

json json_of(ib_row const& row) {
  return {{"local", row.local.to_string()}, {"peer", row.peer.to_string()}, {"tos", row.type_of_service}, {"sl", row.service_level},
          {"local_gid", row.local_gid}, {"peer_gid", row.peer_gid}, {"send_wr", row.sends}, {"recv_wr", row.receives},
          {"send_sge", row.elements}, {"transport", row.transport}, {"device", row.device}, {"port", row.port},
          {"gid_index", row.gid_index}, {"gid_type", row.gid_type}, {"note", row.note}, {"version", row.version},
          {"stage", row.stage}, {"connected_by_us", row.connected_by_us}, {"credits", json_of(row.credits)},
          {"credits_to_tell", json_of(row.credits_to_tell)}, {"trouble", row.trouble}, {"vendor_error", row.vendor_error}};
}

json json_of(verbs_address_row const& row) {
  return {{"address", row.at.to_string()}, {"transport", row.transport}, {"device", row.device}, {"port", row.port},
          {"gid_index", row.gid_index}, {"gid", row.gid}, {"gid_type", row.gid_type}, {"why", row.why}};
}

template <class Row>
json json_list(std::vector<Row> const& rows) {
  auto made = json::array();
  for (auto const& row : rows) made.push_back(json_of(row));
  return made;
}

}  // namespace

node_tables node_core::tables() {
  node_tables made;
  for (auto& own : hosts_) {
    own->ports.for_each([&](socket_core& each) {
      made.sockets.push_back(each.row());
      each.describe_unread(made.receive_queue);
    });
    if (own->by.has_address_rows()) own->by.describe(*own, made.verbs_addresses.emplace_back());
  }
  for_each_connection([&](connection& each) {
    made.connections.push_back(row_of(each, between(each.host, each.key.peer).name()));
    add_queue(made.send_queue, each, each.lane.unsent());
    add_queue(made.retransmit_queue, each, each.lane.unacknowledged());
    if (each.by->has_row()) each.by->describe(made.tcp_sockets.emplace_back());
    if (each.by->has_ib_row()) each.by->describe_ib(made.ib_connections.emplace_back());
  });
  return made;
}

std::string node_core::to_json() {
  node_tables const now = tables();
  auto counters = json::object();
  counted.for_each([&](char const* name, std::uint64_t value) { counters[name] = value; });
  json const made{{"counters", counters},
                            {"sockets", json_list(now.sockets)},
                            {"connections", json_list(now.connections)},
                            {"send_queue", json_of(now.send_queue)},
                            {"retransmit_queue", json_of(now.retransmit_queue)},
                            {"receive_queue", json_of(now.receive_queue)},
                            {"tcp_sockets", json_list(now.tcp_sockets)},
                            {"ib_connections", json_list(now.ib_connections)},
                            {"verbs_addresses", json_list(now.verbs_addresses)},
                            {"memory_bytes", pool->now().live_bytes}};
  return made.dump();
}

}  // namespace rdsco::detail
