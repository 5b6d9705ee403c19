// SPDX-License-Identifier: BSD-2-Clause
#include "tools/info.hpp"

#include "tools/failure.hpp"
#include "tools/info_verbs.hpp"

#include <rdsco/endpoint.hpp>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace rdsco::tools {

namespace {

using json = nlohmann::ordered_json;  // counters in the kernel's order

constexpr std::size_t answer_bytes_max = std::size_t(1) << 30;
constexpr timeval patience{10, 0};

std::string host_text(address const& host) { return host.is_unspecified() ? "0.0.0.0" : host.to_string(); }

/// An endpoint as two columns.
std::string place(json const& text) {
  auto const parsed = endpoint::parse(text.get<std::string>()).value_or(endpoint());
  return fmt::format("{:>15} {:>5}", host_text(parsed.host), parsed.port);
}

int connect_to(std::string const& path) {
  sockaddr_un at{};
  if (path.size() >= sizeof at.sun_path) throw failure(fmt::format("{}: too long for the path of a local socket", path));
  at.sun_family = AF_UNIX;
  std::memcpy(at.sun_path, path.c_str(), path.size() + 1);
  int const made = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (made >= 0 && ::connect(made, reinterpret_cast<sockaddr const*>(&at), sizeof at) == 0) return made;
  std::string const why = std::strerror(errno);
  if (made >= 0) ::close(made);
  throw failure(fmt::format("{}: {}. The process to look at serves its statistics there (rdsco::stats_server; `rdsco stress --stats PATH`) "
                            "to its own user and root", path, why));
}

std::string ask(std::string const& path) {
  int const stream = connect_to(path);
  ::setsockopt(stream, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  std::string answer;
  if (::send(stream, "tables\n", 7, MSG_NOSIGNAL) == 7) {
    char some[16384];
    for (ssize_t got = 0; answer.size() < answer_bytes_max && !answer.ends_with('\n'); answer.append(some, static_cast<std::size_t>(got))) {
      got = ::recv(stream, some, sizeof some, 0);
      if (got <= 0) break;
    }
  }
  ::close(stream);
  if (!answer.ends_with('\n')) throw failure(fmt::format("{}: the process there gave no answer, or is too busy to", path));
  answer.pop_back();
  return answer;
}

void print_counters(json const& counters, bool verbose) {
  fmt::print("\nCounters:\n{:>25} {:>16}\n", "CounterName", "Value");
  for (auto const& [name, value] : counters.items())
    if (verbose || value != 0) fmt::print("{:>25} {:>16}\n", name, value.get<std::uint64_t>());
}

void print_sockets(json const& rows) {
  fmt::print("\nRDS Sockets:\n{:>15} {:>5} {:>15} {:>5} {:>10} {:>10} {:>8}\n", "BoundAddr", "BPort", "ConnAddr", "CPort", "SndBuf", "RcvBuf", "Inode");
  for (auto const& row : rows)
    fmt::print("{} {} {:>10} {:>10} {:>8}\n", place(row["bound"]), place(row["connected"]), row["send_buffer"].get<std::uint64_t>(),
               row["receive_buffer"].get<std::uint64_t>(), row["id"].get<std::uint64_t>());
}

void print_connections(json const& rows) {
  fmt::print("\nRDS Connections:\n{:>15} {:>15} {:>4} {:>16} {:>16} {:>4}\n", "LocalAddr", "RemoteAddr", "Tos", "NextTX", "NextRX", "Flgs");
  for (auto const& row : rows)
    fmt::print("{:>15} {:>15} {:>4} {:>16} {:>16} {:>4}\n", row["local"].get<std::string>(), row["peer"].get<std::string>(), row["tos"].get<unsigned>(),
               row["next_tx"].get<std::uint64_t>(), row["next_rx"].get<std::uint64_t>(), row["flags"].get<std::string>());
}

/// `local` and `remote` say which end of a message is this process's.
void print_messages(char const* title, json const& rows, char const* local, char const* remote) {
  fmt::print("\n{} Message Queue:\n{:>15} {:>5} {:>15} {:>5} {:>4} {:>16} {:>10}\n", title, "LocalAddr", "LPort", "RemoteAddr", "RPort", "Tos", "Seq", "Bytes");
  for (auto const& row : rows)
    fmt::print("{} {} {:>4} {:>16} {:>10}\n", place(row[local]), place(row[remote]), row["tos"].get<unsigned>(),
               row["sequence"].get<std::uint64_t>(), row["bytes"].get<std::uint64_t>());
}

void print_tcp(json const& rows) {
  fmt::print("\nTCP Connections:\n{:>15} {:>5} {:>15} {:>5} {:>10} {:>10} {:>10} {:>10} {:>10}\n", "LocalAddr", "LPort", "RemoteAddr", "RPort",
             "HdrRemain", "DataRemain", "SentNxt", "ExpectUna", "SeenUna");
  for (auto const& row : rows)
    fmt::print("{} {} {:>10} {:>10} {:>10} {:>10} {:>10}\n", place(row["local"]), place(row["peer"]), row["header_remaining"].get<std::uint64_t>(),
               row["data_remaining"].get<std::uint64_t>(), row["sent"].get<std::uint64_t>(), row["expected_acknowledged"].get<std::uint64_t>(),
               row["acknowledged"].get<std::uint64_t>());
}

/// In the order of rds-info: that of the letters in ASCII.
void print_tables(json const& tables, info_options const& options) {
  bool const all = options.all();
  bool const verbs = !tables["verbs_addresses"].empty();
  if (options.infiniband && !verbs) fmt::print(stderr, "rdsco info: this process has no InfiniBand connections\n");
  if ((all || options.infiniband) && verbs)
    fmt::print("{}{}", ib_table(tables["ib_connections"], options.verbose), verbs_address_table(tables["verbs_addresses"]));
  if (all || options.tcp) print_tcp(tables["tcp_sockets"]);
  if (all || options.counters) print_counters(tables["counters"], options.verbose);
  if (all || options.sockets) print_sockets(tables["sockets"]);
  if (all || options.connections) {
    print_connections(tables["connections"]);
    fmt::print("{}", trouble_table(tables["connections"]));
  }
  if (all || options.received) print_messages("Receive", tables["receive_queue"], "to", "from");
  if (all || options.sent) print_messages("Send", tables["send_queue"], "from", "to");
  if (all || options.retransmit) print_messages("Retransmit", tables["retransmit_queue"], "from", "to");
}

json parsed(std::string const& answer, std::string const& path) {
  auto tables = json::parse(answer, nullptr, false);
  if (tables.is_discarded() || !tables.is_object()) throw failure(fmt::format("{}: what listens there is no rdsco process", path));
  if (tables.contains("error")) throw failure(fmt::format("{}: {}", path, tables["error"].dump()));
  return tables;
}

}  // namespace

int run_info(info_options const& options) {
  auto const answer = ask(options.socket);
  auto const tables = parsed(answer, options.socket);
  if (options.json)
    fmt::print("{}\n", answer);
  else
    print_tables(tables, options);
  return exit_success;
}

}  // namespace rdsco::tools
