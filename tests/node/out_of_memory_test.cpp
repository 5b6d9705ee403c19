// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: memory is refused half-way through making a connection or a socket, and something keeps pointing at what was thrown
// away: an actor that runs, an entry in a list.
// Forced by: refusing the first, the second, … allocation of the call, until one call needs no more; then using and closing the node.

#include "counting_new.hpp"
#include "node/world.hpp"

#include <new>

namespace {

using namespace rdsco;
using namespace rdsco::test;

constexpr std::size_t enough = 1000;

/// Fails the allocation behind `count` further ones, and all after that, while it lives.
struct only_so_many {
  explicit only_so_many(std::size_t count) { allocations_left = count; }
  only_so_many(only_so_many const&) = delete;
  only_so_many& operator=(only_so_many const&) = delete;
  ~only_so_many() { allocations_left = ~std::size_t{0}; }
};

std::error_code send_with(std::size_t allocations_allowed, socket& from, endpoint const& there) {
  only_so_many bound(allocations_allowed);
  return from.try_send_to("x", there);
}

bool bind_with(std::size_t allocations_allowed, node& on, std::string_view host, socket& into) {
  only_so_many bound(allocations_allowed);
  try {
    auto made = on.bind(address::parse(host).value(), 0);
    into = std::move(made.data);
    return !made.ec;
  } catch (std::bad_alloc const&) {
    return false;
  }
}

}  // namespace

TEST_CASE("a connection that memory is refused for leaves nothing behind") {
  for (way const how : every_way) {
    INFO(name(how));
    bool done = false;
    for (std::size_t allowed = 0; !done; ++allowed) {
      REQUIRE(allowed < enough);
      INFO(allowed << " allocations");
      world w(how);
      socket from = w.near_socket(), into = w.far_socket();
      for (int i = 0; i < 20; ++i) w.where.poll();
      auto const frames = w.where.frames();
      detail::frame_pool::trim();
      auto const why = send_with(allowed, from, into.local());
      done = !why;
      if (!done) {
        // The connection is there with all that it needs and only the datagram was refused, or there is none.
        bool const connected = !w.near().tables().connections.empty();
        CHECK(why == (connected ? errc::limit_reached : errc::out_of_memory));
        if (!connected) CHECK(w.where.frames() == frames);
        for (int i = 0; i < 20; ++i) w.where.poll();
        // A port becomes congested: whoever is on the list of connections is told.
        into.set_buffers(100, 0);
        REQUIRE(!from.try_send_to("again", into.local()));
      }
      block_on(w.where, [](socket& reads) -> task<> {
        auto const got = co_await with_timeout(patience, reads.receive());
        CHECK(!got.ec);
      }(into));
      from.close();
      into.close();
      w.finish();
    }
  }
}

TEST_CASE("a socket that memory is refused for leaves nothing behind") {
  bool done = false;
  for (std::size_t allowed = 0; !done; ++allowed) {
    REQUIRE(allowed < enough);
    INFO(allowed << " allocations");
    world w(way::same_address);
    socket made;
    done = bind_with(allowed, w.near(), w.near_host, made);
    CHECK(w.near().tables().sockets.size() == (done ? 1u : 0u));
    socket other = w.near_socket();
    CHECK(w.near().tables().sockets.size() == (done ? 2u : 1u));
    made.close();
    other.close();
    w.finish();
  }
}
