// SPDX-License-Identifier: BSD-2-Clause
#include "tools/stress_report.hpp"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <sys/resource.h>

#include <array>

namespace rdsco::tools {

namespace {

using json = nlohmann::ordered_json;

constexpr std::array percents{50.0, 90.0, 99.0, 99.9};

double ratio(double part, double whole) noexcept { return whole > 0 ? part / whole : 0; }
double per_event_us(std::uint64_t ns, std::uint64_t events) noexcept { return ratio(static_cast<double>(ns) / 1000, static_cast<double>(events)); }
double microseconds(std::uint64_t ns) noexcept { return static_cast<double>(ns) / 1000; }

json faults_json(stress_outcome const& outcome) {
  auto const& faults = outcome.faults;
  return {{"lost", faults.lost}, {"duplicated", faults.duplicated}, {"reordered", faults.reordered}, {"corrupted", faults.corrupted},
          {"misdelivered", faults.misdelivered}, {"unanswered", outcome.unanswered}};
}

json latency_json(percentiles const& trips) {
  json made;
  for (double const each : percents) made[fmt::format("p{:g}", each)] = microseconds(trips.at(each));
  made["max"] = microseconds(trips.max());
  made["mean"] = trips.mean() / 1000;
  return made;
}

}  // namespace

double processor_seconds() noexcept {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  auto const seconds = [](timeval const& value) { return static_cast<double>(value.tv_sec) + static_cast<double>(value.tv_usec) / 1e6; };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

void stress_table::print_head() { fmt::print("tsks   tx/s   rx/s  tx+rx K/s    mbi K/s    mbo K/s tx us/c   rtt us cpu %\n"); }

std::string stress_table::row(stress_traffic const& from, stress_traffic const& to, double seconds, double cpu) const {
  auto const each_second = [&](std::uint64_t a, std::uint64_t b) { return ratio(static_cast<double>(b - a), seconds); };
  return fmt::format("{:4} {:6.0f} {:6.0f} {:10.2f} {:10.2f} {:10.2f} {:7.2f} {:8.2f} {:5.2f}", tasks_,
                     each_second(from.requests_sent, to.requests_sent), each_second(from.requests_received, to.requests_received),
                     each_second(from.bytes, to.bytes) / 1024, each_second(from.rdma_in, to.rdma_in) / 1024,
                     each_second(from.rdma_out, to.rdma_out) / 1024, per_event_us(to.send_ns - from.send_ns, to.sends - from.sends),
                     per_event_us(to.trip_ns - from.trip_ns, to.trips - from.trips), cpu);
}

std::string stress_table::next_row(stress_traffic const& now, double seconds) {
  double const used = processor_seconds();
  auto made = row(last_, now, seconds, 100 * ratio(used - last_cpu_, seconds));
  last_cpu_ = used;
  last_ = now;
  return made;
}

std::string stress_table::average(stress_outcome const& outcome) const {
  return row(outcome.from, outcome.to, outcome.seconds, 100 * ratio(processor_seconds(), outcome.seconds)) + "  (average)";
}

void print_outcome(stress_outcome const& outcome) {
  fmt::print("rtt us:");
  for (double const each : percents) fmt::print(" p{:g} {:.1f}", each, microseconds(outcome.trips.at(each)));
  fmt::print(" max {:.1f}\n", microseconds(outcome.trips.max()));
  fmt::print("faults: {}, unanswered {}\n", outcome.faults.to_string(), outcome.unanswered);
  if (!outcome.payload_checked) fmt::print("payloads were not checked: the active end did not ask for it (rds-stress -v)\n");
  if (outcome.peer_clean) fmt::print("other end: {}\n", *outcome.peer_clean ? "no faults" : *outcome.peer);
  if (!outcome.clean()) fmt::print("FAILED: datagrams did not all arrive once, whole and in order\n");
}

std::string outcome_json(stress_outcome const& outcome) {
  auto const& traffic = outcome.traffic;
  auto const rate = [&](std::uint64_t stress_traffic::*what) {
    return ratio(static_cast<double>(outcome.to.*what - outcome.from.*what), outcome.seconds);
  };
  json made{{"role", outcome.role},
            {"tasks", outcome.parameters.tasks},
            {"depth", outcome.parameters.depth},
            {"request_bytes", outcome.parameters.request_bytes},
            {"ack_bytes", outcome.parameters.acknowledgement_bytes},
            {"seconds", outcome.seconds},
            {"requests_sent", traffic.requests_sent},
            {"requests_received", traffic.requests_received},
            {"tx_per_second", rate(&stress_traffic::requests_sent)},
            {"rx_per_second", rate(&stress_traffic::requests_received)},
            {"kib_per_second", rate(&stress_traffic::bytes) / 1024},
            {"rdma_bytes", outcome.parameters.rdma_bytes},
            {"rdma_vector", outcome.parameters.rdma_vector},
            {"rdma_read", traffic.rdma_in},
            {"rdma_written", traffic.rdma_out},
            {"rtt_us", latency_json(outcome.trips)},
            {"faults", faults_json(outcome)},
            {"payload_checked", outcome.payload_checked},
            {"every_byte_checked", outcome.every_byte_checked},
            {"clean", outcome.clean()}};
  if (outcome.peer) made["peer"] = json::parse(*outcome.peer, nullptr, false);
  return made.dump();
}

std::string account_line(stress_outcome const& outcome) {
  return json{{"rdsco_stress", faults_json(outcome)}, {"clean", outcome.clean()}}.dump() + "\n";
}

std::optional<bool> account_is_clean(std::string const& line) {
  auto const parsed = json::parse(line, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("rdsco_stress") || !parsed.contains("clean") || !parsed["clean"].is_boolean()) return std::nullopt;
  return parsed["clean"].get<bool>();
}

}  // namespace rdsco::tools
