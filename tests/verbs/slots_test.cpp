// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a range that is offered again and again is registered each time, or one that a peer may still reach is given to
// another; registrations pile up, or are ended under whoever uses them.
// Forced by: every registration of an adapter without memory windows counted, offers to one peer and another, and adapters that can
// register little.

#include "verbs/remote_nodes.hpp"

namespace {

using namespace rdsco;
using namespace rdsco::test;

constexpr std::size_t page = 4096;

task<result<memory_offer>> offered(region& own, address peer, std::size_t at, std::size_t bytes, offer_terms terms = {}) {
  co_return co_await own.offer(peer, at, bytes, terms);
}

/// A node whose adapter keeps registrations, and two peers.
struct lender : two_with_memory<ib_slots> {
  explicit lender(std::size_t bytes, int registrations_max = 1 << 20)
      : two_with_memory<ib_slots>(quick(), [=](fake_fabric& on) { on.attributes.max_mr = registrations_max; }), memory(bytes) {
    exchange(*this, 2);
    own = block_on(where, local_memory(into, memory));
    fabric.on_registered = [this](std::size_t) { ++registered; };
  }
  ~lender() {
    fabric.on_registered = nullptr;
    CHECK(!close(where, own));
  }
  lender(lender const&) = delete;
  lender& operator=(lender const&) = delete;

  result<memory_offer> offer(address peer, std::size_t at, std::size_t bytes, offer_terms terms = {}) {
    return block_on(where, offered(own, peer, at, bytes, terms));
  }
  [[nodiscard]] std::size_t alive() const { return fabric.alive_on(at("10.0.0.2")); }

  std::vector<std::byte> memory;
  region own;
  std::size_t registered = 0;
};

address const first_peer = at("10.0.0.1");
address const other_peer = at("10.0.0.3");

}  // namespace

TEST_CASE("verbs: a range that is offered to the same peer again is registered once") {
  lender w(4 * page);
  for (int turn = 0; turn < 100; ++turn) {
    auto const made = w.offer(first_peer, page, page);
    REQUIRE(!made.ec);
  }
  CHECK(w.registered == 1);
  // Not so another range, or on other terms.
  CHECK(!w.offer(first_peer, page + 1, page).ec);
  CHECK(!w.offer(first_peer, page, page - 1).ec);
  CHECK(!w.offer(first_peer, page, page, access::read).ec);
  CHECK(w.registered == 4);
  // Nor one that is in use.
  auto const one = w.offer(first_peer, page, page);
  auto const same = w.offer(first_peer, page, page);
  CHECK(!same.ec);
  CHECK(w.registered == 5);
}

TEST_CASE("verbs: what one peer may still reach is not given to another") {
  lender w(page);
  std::size_t const before = w.alive();
  CHECK(!w.offer(first_peer, 0, page).ec);
  CHECK(w.alive() == before + 1);
  CHECK(!w.offer(other_peer, 0, page).ec);
  CHECK(w.registered == 2);
  CHECK(w.alive() >= before + 2);
  CHECK(!w.offer(first_peer, 0, page).ec);
  CHECK(!w.offer(other_peer, 0, page).ec);
  CHECK(w.registered == 2);
}

TEST_CASE("verbs: what is to be invalidated is out of reach at once, and anew each time") {
  lender w(page);
  std::size_t const before = w.alive();
  offer_terms terms;
  terms.invalidate = true;
  for (std::size_t turn = 1; turn <= 10; ++turn) {
    auto made = w.offer(first_peer, 0, page, terms);
    REQUIRE(!made.ec);
    CHECK(w.alive() == before + 1);
    made.data = memory_offer();
    CHECK(w.alive() == before);
    CHECK(w.registered == turn);
  }
}

TEST_CASE("verbs: without that it stays in reach of its peer until the region is closed") {
  lent_across<ib_slots> w;
  CHECK(!block_on(w.where, with_timeout(patience, w.lent->offered.withdraw())).ec);
  CHECK(!block_on(w.where, carry_out(operation::write, w.from, w.local.all(), w.lent->remote)).ec);
  CHECK(!close(w.where, w.lent->own));
  CHECK(block_on(w.where, carry_out(operation::write, w.from, w.local.all(), w.lent->remote)).ec == errc::remote_access);
}

TEST_CASE("verbs: a fifth of all registrations, given back, is flushed") {
  // As in the kernel's RDS: half of what the adapter can.
  lender w(64 * page, 2 * 20);
  std::size_t const before = w.alive();
  for (std::size_t at = 1; at <= 3; ++at) {
    CHECK(!w.offer(first_peer, at * page, page).ec);
    CHECK(w.alive() == before + at);
  }
  CHECK(!w.offer(first_peer, 0, page).ec);
  CHECK(w.alive() == before);
}

TEST_CASE("verbs: so many pages, given back, are flushed") {
  // A quarter of what all registrations could have, at 257 pages each.
  constexpr std::size_t limit = 20 * 257 / 4;
  lender w((limit + 1) * page, 2 * 20);
  std::size_t const before = w.alive();
  CHECK(!w.offer(first_peer, 0, (limit - 1) * page).ec);
  CHECK(w.alive() == before + 1);
  CHECK(!w.offer(first_peer, 0, page).ec);
  CHECK(w.alive() == before);
}

TEST_CASE("verbs: an adapter that can register no more says so, until something is given back") {
  lender w(64 * page, 2 * 20);
  std::vector<memory_offer> all;
  for (std::size_t at = 0; at < 20; ++at) {
    auto made = w.offer(first_peer, at * page, page);
    REQUIRE(!made.ec);
    all.push_back(std::move(made.data));
  }
  CHECK(w.offer(first_peer, 30 * page, page).ec == errc::limit_reached);
  all.pop_back();
  auto const more = w.offer(first_peer, 30 * page, page);
  CHECK(!more.ec);
  CHECK(w.offer(first_peer, 31 * page, page).ec == errc::limit_reached);
}

namespace {

// Cookies by which the peer was offered the same memory, one after the other.
task<> offered_and_used(remote_ends ends, lent_memory& lent, region& local, int times, std::vector<std::uint64_t>& cookies) {
  for (int turn = 0; turn < times; ++turn) {
    co_await lent.offer_again(ends);
    cookies.push_back(lent.remote.cookie());
    auto const wrote = co_await with_timeout(patience, ends.user.rdma_write(local.all(), lent.remote, 0, "used"));
    REQUIRE(!wrote.ec);
    static_cast<void>(co_await with_timeout(patience, ends.owner.receive()));
    auto const withdrawn = co_await with_timeout(patience, lent.offered.withdraw());
    REQUIRE(!withdrawn.ec);
  }
}

}  // namespace

TEMPLATE_TEST_CASE("verbs: a window that is bound again has another key", "", ib_windows, iwarp_windows) {
  lent_across<TestType> w;
  std::vector<std::uint64_t> cookies;
  block_on(w.where, offered_and_used(w.ends(), *w.lent, w.local, 3, cookies));
  std::size_t const before = w.fabric.alive_on(w.far_host());
  // More often than a key has values in its lowest byte.
  block_on(w.where, offered_and_used(w.ends(), *w.lent, w.local, 300, cookies));
  CHECK(w.fabric.alive_on(w.far_host()) == before);
  for (std::size_t at = 1; at < cookies.size(); ++at) CHECK(cookies[at] != cookies[at - 1]);
}
