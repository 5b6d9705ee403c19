// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: the sample store works only as long as no connection breaks, keeps memory for every client that ever came, or takes half an
// entry for a whole one.
// Forced by: connections of a fake fabric that break between and during operations, with memory windows and without; clients one after the
// other; and an entry that is damaged.

#include "samples/put_get/store.hpp"
#include "verbs/fake_nodes.hpp"

namespace {

using namespace rdsco;
using namespace rdsco::test;

struct shop : two_on<fake_ib> {
  explicit shop(bool windows)
      : two_on<fake_ib>({}, {}, [=](fake_fabric& on) { on.rules.windows = windows; }), server(into), serving(where) {
    serving.spawn(server.serve());
  }
  ~shop() {
    into.close();
    block_on(where, joined());
  }
  void break_connection() { fabric.break_connections(from.local().host, into.local().host); }
  task<> joined() { co_await serving.join(); }

  store_server server;
  task_group serving;
};

task<> put_and_get(shop& w) {
  store_client client(w.from, w.into.local());
  co_await client.open();
  for (int round = 0; round < 5; ++round) {
    std::string const value = "value " + std::to_string(round);
    co_await client.put("key", value);
    w.break_connection();
    auto const found = co_await client.get("key");
    REQUIRE(found == value);
    REQUIRE(!co_await client.get("another"));
  }
}

task<> one_after_the_other(shop& w, int clients) {
  for (int each = 0; each < clients; ++each) {
    rdsco::socket own = w.near.bind(w.from.local().host).value();
    store_client client(own, w.into.local());
    co_await client.open();
    co_await client.put("key", std::to_string(each));
    auto const found = co_await client.get("key");
    REQUIRE(found == std::to_string(each));
  }
}

task<> put_across_a_break(shop& w, bool before_the_datagram) {
  store_client client(w.from, w.into.local());
  co_await client.open();
  co_await client.put("key", "before");
  // The bytes of the next put are there, and its connection breaks before the server is told, or before the client is.
  bool broken = false;
  auto const break_once = [&] {
    if (!std::exchange(broken, true)) w.break_connection();
  };
  if (before_the_datagram) w.fabric.on_remote = [&](ibv_send_wr const&) { break_once(); };
  if (!before_the_datagram) w.fabric.on_message = [&](ibv_send_wr const&, std::span<std::byte const>) { break_once(); };
  co_await client.put("key", "after");
  w.fabric.on_remote = nullptr;
  w.fabric.on_message = nullptr;
  REQUIRE(broken);
  auto const found = co_await client.get("key");
  REQUIRE(found == "after");
}

}  // namespace

TEST_CASE("put_get: values are found through connections that break") {
  bool const windows = GENERATE(true, false);
  shop w(windows);
  block_on(w.where, put_and_get(w));
  CHECK(w.server.puts() >= 5);
  // An offer by a window ends with its connection; one in a slot is good for the next.
  CHECK((w.server.offers() > 1) == windows);
}

TEST_CASE("put_get: clients of one host share what it was offered") {
  shop w(GENERATE(true, false));
  block_on(w.where, one_after_the_other(w, 10));
  CHECK(w.server.offers() == 1);
}

TEST_CASE("put_get: a put whose connection breaks is repeated") {
  shop w(GENERATE(true, false));
  block_on(w.where, put_across_a_break(w, GENERATE(true, false)));
}

TEST_CASE("put_get: an entry says whether it is whole") {
  entry one("key", "value");
  CHECK(one.whole());
  one.value[2] = 'x';
  CHECK(!one.whole());
  CHECK(!entry().whole());
  CHECK(entry(std::string(100, 'k'), std::string(1000, 'v')).whole());
}
