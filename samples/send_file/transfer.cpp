// SPDX-License-Identifier: BSD-2-Clause
#include "transfer.hpp"

#include "mapped_file.hpp"

#include <rdsco/buffer.hpp>
#include <rdsco/region.hpp>
#include <rdsco/with_timeout.hpp>

#include <charconv>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <system_error>

namespace {

std::size_t size_in(std::string_view announced) {
  std::size_t bytes = 0;
  if (announced.starts_with("file ")) std::from_chars(announced.data() + 5, announced.data() + announced.size(), bytes);
  return bytes;
}

// An offer that its connection took with it is over; one that still stands is sent again.
rdsco::task<> offer_all(rdsco::socket& at, rdsco::region& of, rdsco::memory_offer& offer, rdsco::endpoint to) {
  for (;;) {
    if (!offer.usable()) offer = (co_await of.offer(to.host, 0, of.size(), rdsco::access::write)).value();
    auto const sent = co_await at.send_to("here", to, offer);
    if (sent.ec != rdsco::errc::stale_offer) co_return;
  }
}

// remote_failed is what the operation says that found out.
bool connection_broke(std::error_code why) {
  return why == rdsco::errc::stale_offer || why == rdsco::errc::operation_dropped || why == rdsco::errc::remote_failed;
}

}  // namespace

rdsco::task<std::size_t> receive_file(rdsco::socket& at, std::string path, std::size_t bytes_max) {
  std::optional<mapped_file> file;
  rdsco::region region;  // gone before the file's memory is
  rdsco::memory_offer offer;
  rdsco::endpoint sender;
  for (;;) {
    auto told = (co_await at.receive()).value();
    auto const text = told.to_string();
    if (file && told.from() != sender) continue;
    if (text == "done" && file) break;
    if (!file) {
      std::size_t const bytes = size_in(text);
      if (bytes == 0 || bytes > bytes_max) continue;
      sender = told.from();
      file.emplace(mapped_file::to_write(path, bytes));
      region = (co_await at.register_memory(file->bytes())).value();
    }
    co_await offer_all(at, region, offer, sender);
  }
  (co_await region.close()).value();  // nobody writes to it any more
  // The sender may have gone without a word.
  static_cast<void>(co_await rdsco::with_timeout(std::chrono::seconds(5), at.send_to("stored", sender, rdsco::until::acknowledged)));
  co_return file->bytes().size();
}

rdsco::task<int> send_file(rdsco::socket& from, rdsco::endpoint to, std::string path) {
  mapped_file const file = mapped_file::to_read(path);
  rdsco::region region = (co_await from.register_memory(file.bytes())).value();
  std::string const announced = "file " + std::to_string(file.bytes().size());
  (co_await from.send_to(announced, to)).value();
  for (int begun = 0;;) {
    auto const answer = (co_await from.receive()).value();
    if (answer.to_string() == "stored") co_return begun;
    auto const theirs = answer.offered();
    if (!theirs) throw std::runtime_error("an answer without memory");
    ++begun;
    // The whole file, and then the datagram: it arrives after all bytes.
    auto const wrote = co_await from.rdma_write(region.all(), *theirs, 0, "done");
    if (wrote.ec && !connection_broke(wrote.ec)) throw std::system_error(wrote.ec);
    if (wrote.ec) (co_await from.send_to(announced, to)).value();
  }
}
