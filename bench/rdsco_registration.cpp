// SPDX-License-Identifier: BSD-2-Clause
// What other peers feel while a node registers a large region: round trips with one of them, before and meanwhile.
#include "rdsco_node.hpp"
#include "stopwatch.hpp"

#include <algorithm>
#include <new>
#include <sys/mman.h>

namespace rdsco::bench {

namespace {

// An empty datagram ends it.
task<> echo(socket& at) {
  for (;;) {
    auto const got = co_await at.receive();
    if (got.ec) throw std::system_error(got.ec);
    if (got.data.size() == 0) co_return;
    auto const sent = co_await at.send_to(got.data.payload(), got.data.from());
    sent.value();
  }
}

class mapped_memory {
 public:
  explicit mapped_memory(std::size_t bytes) : bytes_(bytes), at_(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    if (at_ == MAP_FAILED) throw std::bad_alloc();
  }
  mapped_memory(mapped_memory const&) = delete;
  mapped_memory& operator=(mapped_memory const&) = delete;
  ~mapped_memory() { ::munmap(at_, bytes_); }
  [[nodiscard]] mutable_buffer all() const noexcept { return mutable_buffer(static_cast<std::byte*>(at_), bytes_); }

 private:
  std::size_t bytes_;
  void* at_;
};

class trips {
 public:
  trips(socket& from, request const& asked) : from_(from), to_(server_of(asked)), question_(asked.bytes) {}

  task<> one() {
    stopwatch timer;
    auto const sent = co_await from_.send_to(question_, to_);
    sent.value();
    auto const got = co_await from_.receive();
    if (got.ec) throw std::system_error(got.ec);
    took_.push_back(timer.ns());
  }
  void forget() noexcept { took_.clear(); }
  void add_to(figures& found, std::string const& when) {
    if (took_.empty()) return;
    std::sort(took_.begin(), took_.end());
    found[when + "p50_ns"] = took_[took_.size() / 2];
    found[when + "longest_ns"] = took_.back();
    found[when + "round_trips"] = static_cast<double>(took_.size());
  }

 private:
  socket& from_;
  endpoint to_;
  std::vector<std::byte> question_;
  std::vector<double> took_;
};

class registering {
 public:
  task<> run(socket& by, mutable_buffer memory) {
    stopwatch timer;
    auto made = co_await by.register_memory(memory);
    took_ns = timer.ns();
    over = true;
    large = std::move(made).value();
  }

  bool over = false;
  double took_ns = 0;
  region large;
};

task<> time_trips(loop& where, socket& from, request const& asked, mutable_buffer memory, figures& found) {
  trips before(from, asked), meanwhile(from, asked);
  for (std::uint64_t i = 0; i < asked.warmup; ++i) co_await before.one();
  before.forget();
  for (std::uint64_t i = 0; i < asked.count; ++i) co_await before.one();
  registering at_work;
  task_group group(where);
  group.spawn(at_work.run(from, memory));
  while (!at_work.over) co_await meanwhile.one();
  co_await group.join();
  before.add_to(found, "before_");
  meanwhile.add_to(found, "meanwhile_");
  found["registration_ns"] = at_work.took_ns;
  const_buffers const nothing;
  auto const told = co_await from.send_to(nothing, server_of(asked), until::acknowledged);
  told.value();
  auto const closed = co_await at_work.large.close();
  closed.value();
}

}  // namespace

figures rdsco_registration(request const& asked) {
  partner other(asked, [&](auto const& ready) { return serve_at_one_socket(asked, ready, echo); });
  mapped_memory const memory(asked.region_bytes);
  if (asked.touched) std::ranges::fill(memory.all(), std::byte{1});
  loop here(options_for(asked.wait));
  node mine = open_node(here, asked.client, asked);
  socket from = bind_socket(mine, asked.client, 0);
  figures found;
  block_on(here, time_trips(here, from, asked, memory.all(), found));
  finish(here, mine);
  static_cast<void>(other.join());
  return found;
}

}  // namespace rdsco::bench
