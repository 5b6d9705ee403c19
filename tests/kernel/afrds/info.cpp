// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/afrds/info.hpp"

#include "kernel/afrds/events.hpp"

#include <arpa/inet.h>
#include <linux/rds.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

namespace rdsco::kernel_lab {

namespace {

template <typename Record>
Record copy_of(char const* bytes) {
  Record record;
  std::memcpy(&record, bytes, sizeof record);
  return record;
}

std::string address_text(int family, void const* address) {
  char text[INET6_ADDRSTRLEN] = "?";
  inet_ntop(family, address, text, sizeof text);
  return text;
}

nlohmann::json counters(int descriptor) {
  auto result = nlohmann::json::object();
  info_list const list(descriptor, RDS_INFO_COUNTERS);
  for (std::size_t index = 0; index < list.size(); ++index) {
    auto const counter = copy_of<rds_info_counter>(list.record(index));
    std::string const name(reinterpret_cast<char const*>(counter.name), strnlen(reinterpret_cast<char const*>(counter.name), 32));
    result[name] = static_cast<std::uint64_t>(counter.value);
  }
  return result;
}

template <typename Record>
void add_connections(int descriptor, int which, int family, nlohmann::json& into) {
  info_list const list(descriptor, which);
  for (std::size_t index = 0; index < list.size(); ++index) {
    auto const connection = copy_of<Record>(list.record(index));
    auto const own = connection.laddr;
    auto const peer = connection.faddr;
    into.push_back({{"local", address_text(family, &own)},
                    {"peer", address_text(family, &peer)},
                    {"next_tx_seq", static_cast<std::uint64_t>(connection.next_tx_seq)},
                    {"next_rx_seq", static_cast<std::uint64_t>(connection.next_rx_seq)},
                    {"connected", (connection.flags & RDS_INFO_CONNECTION_FLAG_CONNECTED) != 0}});
  }
}

}  // namespace

info_list::info_list(int rds_descriptor, int which) : records_(4096) {
  while (true) {
    auto length = static_cast<socklen_t>(records_.size());
    // Positive result: the size of one record. ENOSPC: the list is longer, `length` says how long it was.
    auto const result = getsockopt(rds_descriptor, SOL_RDS, which, records_.data(), &length);
    if (result >= 0) {
      record_size_ = static_cast<std::size_t>(result);
      records_.resize(length);
      return;
    }
    if (errno != ENOSPC) {
      throw socket_error("RDS list " + std::to_string(which));
    }
    records_.resize(2 * static_cast<std::size_t>(length));
  }
}

int run_info() {
  auto const descriptor = socket(AF_RDS, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (descriptor < 0) {
    throw socket_error("socket");
  }
  auto connections = nlohmann::json::array();
  add_connections<rds_info_connection>(descriptor, RDS_INFO_CONNECTIONS, AF_INET, connections);
  auto connections_v6 = nlohmann::json::array();
  add_connections<rds6_info_connection>(descriptor, RDS6_INFO_CONNECTIONS, AF_INET6, connections_v6);
  for (auto const& one : connections_v6) {
    // This list repeats the IPv4 ones as mapped addresses.
    if (one["local"].get<std::string>().rfind("::ffff:", 0) != 0) {
      connections.push_back(one);
    }
  }
  say({{"event", "report"},
       {"command", "info"},
       {"counters", counters(descriptor)},
       {"connections", connections},
       {"send_queue", info_list(descriptor, RDS6_INFO_SEND_MESSAGES).size()},
       {"retransmit_queue", info_list(descriptor, RDS6_INFO_RETRANS_MESSAGES).size()},
       {"receive_queue", info_list(descriptor, RDS6_INFO_RECV_MESSAGES).size()}});
  close(descriptor);
  return 0;
}

}  // namespace rdsco::kernel_lab
