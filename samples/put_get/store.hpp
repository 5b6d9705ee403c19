// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/region.hpp>
#include <rdsco/socket.hpp>
#include <rdsco/task.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What lies at one place of the table. Clients read and write it without the server, so it says itself whether it is whole.
struct entry {
  std::array<char, 32> key{};
  std::array<char, 216> value{};
  std::uint64_t check = 0;

  entry() = default;
  entry(std::string_view name, std::string_view text);  ///< what is too long is cut off
  [[nodiscard]] bool whole() const;
};
static_assert(sizeof(entry) == 256);

constexpr std::size_t places = 256;
/// Where a key lies. Another key may lie there too: a put takes the place of whatever was there, as in a cache.
std::size_t place_of(std::string_view key);

/// Has the memory, and lets each client that asks read and write it. It hears of each put, and of no get.
class store_server {
 public:
  explicit store_server(rdsco::socket& at) : at_(at) {}
  rdsco::task<> serve();  ///< until the socket closes
  [[nodiscard]] std::size_t puts() const { return puts_; }
  [[nodiscard]] std::size_t offers() const { return offers_; }

 private:
  rdsco::task<> offer_to(rdsco::endpoint client);
  rdsco::task<> tell_puts(rdsco::endpoint client);

  rdsco::socket& at_;
  std::vector<entry> table_{places};
  rdsco::region shelf_;
  std::map<rdsco::address, rdsco::memory_offer> offered_;  // to hosts: clients come and go
  std::size_t puts_ = 0, offers_ = 0;
};

/// One operation at a time.
class store_client {
 public:
  store_client(rdsco::socket& from, rdsco::endpoint server) : from_(from), server_(server) {}
  rdsco::task<> open();
  rdsco::task<> put(std::string key, std::string value);
  rdsco::task<std::optional<std::string>> get(std::string key);
  rdsco::task<std::string> puts();  ///< that the server heard of

 private:
  rdsco::task<> ask();
  bool ask_again(std::error_code why);

  rdsco::socket& from_;
  rdsco::endpoint server_;
  entry mine_;
  rdsco::region desk_;
  std::optional<rdsco::remote_memory> table_;
};
