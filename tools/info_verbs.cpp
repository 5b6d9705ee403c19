// SPDX-License-Identifier: BSD-2-Clause
#include "tools/info_verbs.hpp"

#include <fmt/core.h>

namespace rdsco::tools {

namespace {

using json = nlohmann::ordered_json;

std::string text(json const& row, char const* column) { return row[column].get<std::string>(); }
std::string or_dash(std::string const& what) { return what.empty() ? "-" : what; }
std::string number(json const& value) { return value.is_null() ? "-" : std::to_string(value.get<std::int64_t>()); }

std::string gid_of(json const& row) {
  if (row["gid_index"].get<int>() < 0) return "-";
  return fmt::format("{} ({})", row["gid_index"].get<int>(), or_dash(text(row, "gid_type")));
}

// A kernel shows zeros where it knows none.
std::string gid_or_zero(json const& row, char const* column) {
  auto const known = text(row, column);
  return known.empty() ? "::" : known;
}

std::string more(json const& row) {
  return fmt::format(" {:>7} {:>7} {:>8} {:>9} {:>10} {:>4} {:>13} {:>7} {:>7} {:>7}  {}", number(row["send_wr"]), number(row["recv_wr"]), number(row["send_sge"]),
                     text(row, "transport"), or_dash(text(row, "device")), number(row["port"]), gid_of(row), or_dash(text(row, "version")),
                     number(row["credits"]), number(row["credits_to_tell"]), text(row, "stage"));
}

std::string ends(json const& row) {
  return fmt::format("{:>15} {:>15} {:>4}", text(row, "local"), text(row, "peer"), row["tos"].get<unsigned>());
}

}  // namespace

std::string ib_table(json const& rows, bool verbose) {
  std::string made = fmt::format("\nRDS IB Connections:\n{:>15} {:>15} {:>4} {:>3} {:>32} {:>32}", "LocalAddr", "RemoteAddr", "Tos", "SL", "LocalDev", "RemoteDev");
  if (verbose)
    made += fmt::format(" {:>7} {:>7} {:>8} {:>9} {:>10} {:>4} {:>13} {:>7} {:>7} {:>7}  {}", "send_wr", "recv_wr", "send_sge", "Transport", "Device", "Port",
                        "Gid", "Version", "Credits", "ToTell", "Stage");
  made += '\n';
  std::string notes;
  for (auto const& row : rows) {
    made += fmt::format("{} {:>3} {:>32} {:>32}", ends(row), row["sl"].get<unsigned>(), gid_or_zero(row, "local_gid"), gid_or_zero(row, "peer_gid"));
    if (verbose) made += more(row);
    made += '\n';
    if (auto const code = row["vendor_error"].get<std::uint32_t>(); code != 0) notes += fmt::format("{}  vendor error {:#x}: {}\n", ends(row), code, text(row, "trouble"));
    if (!text(row, "note").empty()) notes += fmt::format("{}  {}\n", ends(row), text(row, "note"));
  }
  return made + notes;
}

std::string verbs_address_table(json const& rows) {
  std::string made = fmt::format("\nRDS Verbs Addresses:\n{:>15} {:>9} {:>10} {:>4} {:>13}  {}\n", "LocalAddr", "Transport", "Device", "Port", "Gid", "Why");
  for (auto const& row : rows)
    made += fmt::format("{:>15} {:>9} {:>10} {:>4} {:>13}  {}\n", text(row, "address"), text(row, "transport"), or_dash(text(row, "device")),
                        number(row["port"]), gid_of(row), text(row, "why"));
  return made;
}

std::string trouble_table(json const& rows) {
  std::string made;
  for (auto const& row : rows)
    if (!text(row, "trouble").empty()) made += fmt::format("{}  {}\n", ends(row), text(row, "trouble"));
  if (made.empty()) return made;
  return fmt::format("\nRDS Connections that are down:\n{:>15} {:>15} {:>4}  {}\n", "LocalAddr", "RemoteAddr", "Tos", "Why") + made;
}

}  // namespace rdsco::tools
