// SPDX-License-Identifier: BSD-2-Clause
#include "store.hpp"

#include <rdsco/buffer.hpp>

#include <algorithm>
#include <span>
#include <system_error>

namespace {

std::uint64_t sum_of(std::string_view text, std::uint64_t sum = 14695981039346656037u) {
  for (char const each : text) sum = (sum ^ static_cast<unsigned char>(each)) * 1099511628211u;
  return sum;
}

std::string_view text_of(std::span<char const> field) { return {field.data(), static_cast<std::size_t>(std::ranges::find(field, '\0') - field.begin())}; }

std::uint64_t check_of(entry const& of) {
  return sum_of({of.value.data(), of.value.size()}, sum_of({of.key.data(), of.key.size()}));
}

}  // namespace

entry::entry(std::string_view name, std::string_view text) {
  name.copy(key.data(), key.size() - 1);
  text.copy(value.data(), value.size() - 1);
  check = check_of(*this);
}

bool entry::whole() const { return check == check_of(*this); }

std::size_t place_of(std::string_view key) { return sum_of(key) % places; }

rdsco::task<> store_server::serve() {
  std::ranges::fill(table_, entry("", ""));
  shelf_ = (co_await at_.register_memory(std::as_writable_bytes(std::span(table_)))).value();
  for (;;) {
    auto [ec, told] = co_await at_.receive();
    if (ec) co_return;
    auto const text = told.to_string();
    if (text == "offer") co_await offer_to(told.from());
    if (text.starts_with("put ")) ++puts_;  // the entry is in the table already
    if (text == "puts") co_await tell_puts(told.from());
  }
}

// An offer that the client could not use any more after a reconnect is over; one that still stands is sent again.
rdsco::task<> store_server::offer_to(rdsco::endpoint client) {
  for (;;) {
    rdsco::memory_offer& offer = offered_[client.host];
    if (!offer.usable()) {
      offer = (co_await shelf_.offer(client.host, 0, shelf_.size(), rdsco::access::read_write)).value();
      ++offers_;
    }
    auto const sent = co_await at_.send_to("here", client, offer);
    if (sent.ec != rdsco::errc::stale_offer) co_return;
  }
}

rdsco::task<> store_server::tell_puts(rdsco::endpoint client) {
  std::string const count = std::to_string(puts_);
  static_cast<void>(co_await at_.send_to(count, client));
}

rdsco::task<> store_client::open() {
  desk_ = (co_await from_.register_memory(std::as_writable_bytes(std::span(&mine_, 1)))).value();
}

rdsco::task<> store_client::ask() {
  (co_await from_.send_to("offer", server_)).value();
  while (!table_) table_ = (co_await from_.receive()).value().offered();
}

// The connection on which the table was offered is gone; remote_failed is what the operation says that found out. Putting and getting
// may be repeated, so what was under way is no matter.
bool store_client::ask_again(std::error_code why) {
  bool const broke = why == rdsco::errc::stale_offer || why == rdsco::errc::operation_dropped || why == rdsco::errc::remote_failed;
  if (broke) table_.reset();
  return broke;
}

rdsco::task<> store_client::put(std::string key, std::string value) {
  mine_ = entry(key, value);
  std::string const told = "put " + key;
  for (;;) {
    if (!table_) co_await ask();
    auto const wrote = co_await from_.rdma_write(desk_.all(), *table_, place_of(key) * sizeof(entry), told);
    if (!wrote.ec) co_return;
    if (!ask_again(wrote.ec)) throw std::system_error(wrote.ec);
  }
}

rdsco::task<std::optional<std::string>> store_client::get(std::string key) {
  rdsco::rdma_options silent;  // the server need not know
  silent.silent = true;
  rdsco::const_buffers const nothing;
  for (;;) {
    if (!table_) co_await ask();
    auto const read = co_await from_.rdma_read(desk_.all(), *table_, place_of(key) * sizeof(entry), nothing, silent);
    if (read.ec && !ask_again(read.ec)) throw std::system_error(read.ec);
    // Somebody may just be writing it.
    if (read.ec || !mine_.whole()) continue;
    if (text_of(mine_.key) != key) co_return std::nullopt;
    co_return std::string(text_of(mine_.value));
  }
}

rdsco::task<std::string> store_client::puts() {
  (co_await from_.send_to("puts", server_)).value();
  co_return (co_await from_.receive()).value().to_string();
}
