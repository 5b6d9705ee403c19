// SPDX-License-Identifier: BSD-2-Clause
// Wrong could go: a code without a text, a text under the wrong code, or a comparison with std::errc that fails; a code that
// docs/errors.md does not explain, or that it explains and that is gone.
// Forced by: the whole table, spelled out once more, and the header and the document read line by line.
#include <rdsco/error.hpp>
#include <rdsco/result.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <fstream>
#include <regex>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace rdsco;

namespace {

constexpr std::array<std::pair<errc, std::errc>, 33> equivalents{{
    {errc::canceled, std::errc::operation_canceled},
    {errc::timed_out, std::errc::timed_out},
    {errc::withdrawn, std::errc::operation_canceled},
    {errc::may_arrive, std::errc::operation_in_progress},
    {errc::would_block, std::errc::resource_unavailable_try_again},
    {errc::congested, std::errc::no_buffer_space},
    {errc::message_too_large, std::errc::message_size},
    {errc::not_bound, std::errc::not_connected},
    {errc::no_destination, std::errc::destination_address_required},
    {errc::closed, std::errc::bad_file_descriptor},
    {errc::invalid_address, std::errc::invalid_argument},
    {errc::invalid_port, std::errc::invalid_argument},
    {errc::invalid_options, std::errc::invalid_argument},
    {errc::address_in_use, std::errc::address_in_use},
    {errc::address_not_owned, std::errc::address_not_available},
    {errc::address_family, std::errc::address_family_not_supported},
    {errc::peer_not_allowed, std::errc::permission_denied},
    {errc::not_supported, std::errc::operation_not_supported},
    {errc::limit_reached, std::errc::not_enough_memory},
    {errc::out_of_memory, std::errc::not_enough_memory},
    {errc::ring_not_permitted, std::errc::operation_not_permitted},
    {errc::ring_unavailable, std::errc::function_not_supported},
    {errc::no_device, std::errc::no_such_device},
    {errc::device_unsuitable, std::errc::no_such_device_or_address},
    {errc::device_not_permitted, std::errc::permission_denied},
    {errc::locked_memory_limit, std::errc::not_enough_memory},
    {errc::stale_offer, std::errc::not_connected},
    {errc::wrong_peer, std::errc::invalid_argument},
    {errc::not_registered, std::errc::bad_address},
    {errc::invalid_range, std::errc::result_out_of_range},
    {errc::remote_access, std::errc::permission_denied},
    {errc::remote_failed, std::errc::io_error},
    {errc::operation_dropped, std::errc::connection_aborted},
}};

/// "name = equivalent", from each line of a file of the project that looks so.
std::vector<std::string> pairs_in(std::string const& path, std::regex const& line_with_pair) {
  std::ifstream file(RDSCO_TEST_DATA "/../../" + path);
  std::vector<std::string> found;
  std::smatch parts;
  for (std::string line; std::getline(file, line);)
    if (std::regex_search(line, parts, line_with_pair)) found.push_back(parts.str(1) + " = " + parts.str(2));
  return found;
}

}  // namespace

TEST_CASE("every code has a text of its own and its equivalent") {
  std::set<std::string> texts;
  for (auto const& [value, condition] : equivalents) {
    std::error_code const ec = value;
    INFO(ec.message());
    REQUIRE(ec == condition);
    REQUIRE(ec == value);
    REQUIRE(ec.category().name() == std::string("rdsco"));
    REQUIRE(ec.message().find("unknown") == std::string::npos);
    texts.insert(ec.message());
  }
  REQUIRE(texts.size() == equivalents.size());
  // The last one of the enumeration is in the table.
  int const beyond = static_cast<int>(errc::operation_dropped) + 1;
  REQUIRE(static_cast<std::size_t>(beyond) == equivalents.size() + 1);
  REQUIRE(category().message(beyond).find("unknown") != std::string::npos);
  REQUIRE(category().message(0).find("unknown") != std::string::npos);
}

TEST_CASE("the document explains every code, in the order of the header, and no other") {
  auto const declared = pairs_in("include/rdsco/error.hpp", std::regex("^  ([a-z_]+)(?: = 1)?, +///< ([a-z_]+):"));
  auto const explained = pairs_in("docs/errors.md", std::regex(R"(^\| `([a-z_]+)` \| `([a-z_]+)` \|)"));
  REQUIRE(declared.size() == equivalents.size());
  REQUIRE(explained == declared);
}

TEST_CASE("a result throws where it has no value") {
  result<int> good(4);
  REQUIRE(good);
  REQUIRE(good.value() == 4);
  result<int> const bad(errc::congested);
  REQUIRE_FALSE(bad);
  REQUIRE_THROWS_AS(result<int>(bad).value(), std::system_error);
  auto [ec, data] = bad;
  REQUIRE(ec == errc::congested);
  REQUIRE(data == 0);
}
