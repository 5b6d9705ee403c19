// SPDX-License-Identifier: BSD-2-Clause
// RDMA writes from one node into memory that another offered. The writer holds the watch: an operation is complete when the datagram
// behind it is acknowledged, and the other program has no part in it.
#include "rdsco_node.hpp"
#include "stopwatch.hpp"
#include "usage.hpp"

#include <stdexcept>
#include <vector>

namespace rdsco::bench {

namespace {

std::size_t bytes_of_all(request const& asked) { return asked.bytes * asked.outstanding; }

// The first datagram asks for the memory, the second says that the writer has done.
task<> lend(socket& at, std::vector<std::byte>& memory) {
  auto registered = co_await at.register_memory(mutable_buffer(memory.data(), memory.size()));
  region lent = std::move(registered).value();
  auto const asks = co_await at.receive();
  if (asks.ec) throw std::system_error(asks.ec);
  auto made = co_await lent.offer(asks.data.from().host, 0, memory.size());
  memory_offer const offered = std::move(made).value();
  const_buffers const nothing;
  auto const told = co_await at.send_to(nothing, asks.data.from(), offered);
  told.value();
  auto const done = co_await at.receive();
  if (done.ec) throw std::system_error(done.ec);
  auto const closed = co_await lent.close();
  closed.value();
}

figures serve(request const& asked, partner::announce const& ready) {
  std::vector<std::byte> memory(bytes_of_all(asked));
  return serve_at_one_socket(asked, ready, [&](socket& at) { return lend(at, memory); });
}

class writer {
 public:
  writer(loop& where, socket& from, request const& asked) : where_(where), from_(from), asked_(asked), memory_(bytes_of_all(asked)) {}

  task<> prepare() {
    auto registered = co_await from_.register_memory(mutable_buffer(memory_.data(), memory_.size()));
    local_ = std::move(registered).value();
    auto const asks = co_await from_.send_to(nothing_, server_of(asked_));
    asks.value();
    auto const answer = co_await from_.receive();
    if (answer.ec) throw std::system_error(answer.ec);
    auto const offered = answer.data.offered();
    if (!offered) throw std::runtime_error("the server offered nothing");
    remote_ = *offered;
  }

  task<> write_all(std::uint64_t count) {
    task_group group(where_);
    left_ = count;
    for (unsigned i = 0; i < asked_.outstanding; ++i) group.spawn(write_in_turn(i * asked_.bytes));
    co_await group.join();
  }

  task<> end() {
    auto const told = co_await from_.send_to(nothing_, server_of(asked_), until::acknowledged);
    told.value();
    auto const closed = co_await local_.close();
    closed.value();
  }

 private:
  task<> write_in_turn(std::size_t offset) {
    rdma_options how;
    how.silent = true;
    region_slice const bytes = local_.slice(offset, asked_.bytes);
    while (left_ != 0) {
      --left_;
      auto const written = co_await from_.rdma_write(bytes, remote_, offset, nothing_, how);
      written.value();
    }
  }

  loop& where_;
  socket& from_;
  request const& asked_;
  std::vector<std::byte> memory_;
  region local_;
  remote_memory remote_;
  const_buffers nothing_;
  std::uint64_t left_ = 0;
};

}  // namespace

figures rdsco_writes(request const& asked) {
  partner lender(asked, [&](auto const& ready) { return serve(asked, ready); });
  loop here(options_for(asked.wait));
  node mine = open_node(here, asked.client, asked);
  socket from = bind_socket(mine, asked.client, 0);
  writer writes(here, from, asked);
  block_on(here, writes.prepare());
  block_on(here, writes.write_all(asked.warmup));
  usage used;
  used.start();
  stopwatch timer;
  block_on(here, writes.write_all(asked.count));
  double const per_second = static_cast<double>(asked.count) * 1e9 / timer.ns();
  figures found;
  used.add_to(found, "", asked.count);
  found["per_second"] = per_second;
  found["bytes_per_second"] = per_second * static_cast<double>(asked.bytes);
  block_on(here, writes.end());
  finish(here, mine);
  static_cast<void>(lender.join());
  return found;
}

}  // namespace rdsco::bench
