// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a program with its own event loop sleeps for ever over a node that has work, or is kept awake by one that has none.
// Forced by: plain epoll without a thread, always waiting without a limit, a connected peer that is idle, and a count of the polls.

#include "node/world.hpp"
#include "support/host_program.hpp"

namespace rdsco::test {
namespace {

template <class Work>
void run(host_program& host, loop& where, Work work) {
  task_group group(where);
  group.spawn(std::move(work));
  // No poll() in between: what was spawned must wake the host by itself.
  host.run_until([&] { return group.size() == 0; });
}

task<> exchange(socket& near, socket& far) {
  for (std::uint64_t index = 0; index < 10; ++index) {
    auto const payload = pattern(index, 2000);
    auto const sent = co_await near.send_to(payload, far.local(), until::acknowledged);
    CHECK_FALSE(sent.ec);
    auto const got = co_await far.receive();
    CHECK(matches(got.data, index, 2000));
  }
}

}  // namespace

TEST_CASE("a node inside a foreign epoll loop: an idle peer and nothing but a timer pending") {
  for (way const how : every_way) {
    INFO(name(how));
    world on(how);
    host_program host(on.where);
    socket near = on.near_socket(), far = on.far_socket();
    run(host, on.where, [&]() -> task<> { co_await exchange(near, far); });
    host.run_dry();
    int const polls = host.polls();
    std::error_code ended;
    run(host, on.where, [&]() -> task<> {
      auto const got = co_await with_timeout(20ms, near.receive());
      ended = got.ec;
    });
    CHECK(ended == errc::timed_out);
    // The spawn and the deadline, and whatever acknowledgements were still due.
    CHECK(host.polls() - polls < 50);
    near.close();
    far.close();
    run(host, on.where, [&]() -> task<> { static_cast<void>(co_await on.near().close()); });
    if (!on.one_node()) run(host, on.where, [&]() -> task<> { static_cast<void>(co_await on.far().close()); });
    on.finish();
  }
}

TEST_CASE("a send that the host tries from outside poll() goes out") {
  for (way const how : every_way) {
    INFO(name(how));
    world on(how);
    host_program host(on.where);
    socket near = on.near_socket(), far = on.far_socket();
    run(host, on.where, [&]() -> task<> { co_await exchange(near, far); });
    std::error_code ended = errc::canceled;
    task_group group(on.where);
    group.spawn([&]() -> task<> {
      auto const got = co_await far.receive();
      ended = got.ec;
    });
    host.run_dry();
    for (std::uint64_t index = 0; index < 20; ++index) {
      CHECK_FALSE(near.try_send_to(pattern(index, 100), far.local()));
      REQUIRE(host.readable());
      host.run_until([&] { return group.size() == 0; });
      CHECK_FALSE(ended);
      group.spawn([&]() -> task<> {
        auto const got = co_await far.receive();
        ended = got.ec;
      });
      host.run_dry();
    }
    group.stop();
    REQUIRE(host.readable());
    host.run_until([&] { return group.size() == 0; });
    near.close();
    far.close();
    on.finish();
  }
}

}  // namespace rdsco::test
