// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "support/remote_contract.hpp"
#include "verbs/faulty_exchange.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace rdsco::test {

/// A fabric, and whether its adapters have memory windows.
template <class Transport, bool Windows>
struct registered {
  using transport = Transport;
  static constexpr bool windows = Windows;
};
using ib_windows = registered<fake_ib, true>;
using ib_slots = registered<fake_ib, false>;
using iwarp_windows = registered<fake_iwarp, true>;
using iwarp_slots = registered<fake_iwarp, false>;
#define EVERY_WAY ib_windows, ib_slots, iwarp_windows, iwarp_slots

template <class How>
struct two_with_memory : two_on<typename How::transport> {
  // iWARP says nothing of what the peer refused.
  static constexpr bool told = std::is_same_v<typename How::transport, fake_ib>;

  explicit two_with_memory(verbs_options const& tuning = quick(), std::function<void(fake_fabric&)> const& prepare = {})
      : two_on<typename How::transport>(tuning, {}, [&](fake_fabric& on) {
          on.rules.windows = How::windows;
          if (prepare) prepare(on);
        }) {}
  [[nodiscard]] remote_ends ends() noexcept { return remote_ends(this->into, this->from, told); }
  template <class Case>
  void run(Case what) {
    // Both sides once: one connected, the other was connected to.
    block_on(this->where, what(ends()));
    block_on(this->where, what(remote_ends(this->from, this->into, told)));
  }
};

enum class operation { write, read, add };

/// Somebody else's operation: how it ended, if it has.
struct under_way {
  bool ended = false;
  std::error_code how;
};

inline task<result<>> carry_out(operation what, rdsco::socket& by, region_slice local, remote_memory remote, rdma_options options = {}) {
  if (what == operation::add) {
    auto const added = co_await by.fetch_add(remote, 0, 1, "done", options);
    co_return added.ec;
  }
  if (what == operation::read) {
    auto const read = co_await by.rdma_read(local, remote, 0, "done", options);
    co_return read.ec;
  }
  auto const wrote = co_await by.rdma_write(local, remote, 0, "done", options);
  co_return wrote.ec;
}
inline task<> noted(task<result<>> of, under_way& here) {
  auto const outcome = co_await std::move(of);
  here.how = outcome.ec;
  here.ended = true;
}

inline std::error_code close(loop& where, region& which, bool forced = false) {
  auto closing = which.close(forced);
  return block_on(where, with_timeout(patience, std::move(closing))).ec;
}

// Load, until a socket or a node closes, or there is no region.
inline task<> operate_endlessly(rdsco::socket& by, region& local, remote_memory remote, operation what) {
  while (local.usable()) {
    auto work = carry_out(what, by, local.all(), remote);
    auto const done = co_await std::move(work);
    if (done.ec) co_return;
  }
}
inline task<> offer_endlessly(rdsco::socket& by, region& own, endpoint there) {
  for (;;) {
    auto made = co_await own.offer(there.host, 0, own.size());
    if (made.ec) co_return;
    auto const sent = co_await by.send_to("offer", there, made.data, until::acknowledged);
    if (sent.ec) co_return;
  }
}

/// Memory at the far end, offered to the near one, and memory of the near one for its operations on it.
template <class How>
struct lent_across : two_with_memory<How> {
  explicit lent_across(std::size_t bytes = 4096, verbs_options const& tuning = quick(), offer_terms terms = {})
      : two_with_memory<How>(tuning), lent(std::make_unique<lent_memory>(bytes)), memory(pattern(3, bytes)) {
    if (std::is_same_v<typename How::transport, fake_ib>) terms.may = terms.may | access::atomic;
    block_on(this->where, lent->offer(this->ends(), terms));
    local = block_on(this->where, local_memory(this->from, memory));
  }
  [[nodiscard]] address near_host() const { return this->from.local().host; }
  [[nodiscard]] address far_host() const { return this->into.local().host; }

  std::unique_ptr<lent_memory> lent;
  std::vector<std::byte> memory;
  region local;
};

}  // namespace rdsco::test
