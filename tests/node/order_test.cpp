// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: datagrams of one flow out of order, lost or given to another flow while many flows share a path.
// Forced by: sixteen sockets that each send to sixteen others at once, in different sizes, with small buffers at both ends.

#include "node/world.hpp"

#include <map>

namespace {

using namespace rdsco;
using namespace rdsco::test;

constexpr std::size_t sockets_count = 16;
constexpr std::size_t each_flow = 40;

std::uint64_t number(std::size_t from, std::size_t into, std::size_t index) { return (from << 40) | (into << 20) | index; }
std::size_t size_of(std::size_t index) { return 8 + index * 97 % 3000; }

task<> send_flows(socket& mine, std::vector<socket>& far, std::size_t id, until what) {
  for (std::size_t index = 0; index < each_flow; ++index) {
    for (std::size_t step = 0; step < sockets_count; ++step) {
      std::size_t const into = (id + step) % sockets_count;
      auto const payload = pattern(number(id, into, index), size_of(index));
      auto const sent = co_await with_timeout(patience, mine.send_to(payload, far[into].local(), what));
      REQUIRE(!sent.ec);
    }
  }
}

task<> receive_flows(socket& mine, std::size_t id, std::uint16_t first_port) {
  std::map<std::size_t, std::size_t> next;
  for (std::size_t count = 0; count < sockets_count * each_flow; ++count) {
    auto const got = co_await with_timeout(patience, mine.receive());
    REQUIRE(!got.ec);
    auto const from = static_cast<std::size_t>(got.data.from().port - first_port);
    REQUIRE(from < sockets_count);
    std::size_t const index = next[from]++;
    REQUIRE(matches(got.data, number(from, id, index), size_of(index)));
  }
  CHECK(mine.try_receive().ec == errc::would_block);
}

task<> many_flows(world& w, until what) {
  std::vector<socket> near, far;
  socket_options small;
  small.send_buffer = 20000;
  small.receive_buffer = 20000;
  for (std::size_t i = 0; i < sockets_count; ++i) {
    near.push_back(w.near_socket(static_cast<std::uint16_t>(3000 + i), small));
    far.push_back(w.far_socket(static_cast<std::uint16_t>(5000 + i), small));
  }
  task_group group(w.where);
  for (std::size_t i = 0; i < sockets_count; ++i) {
    group.spawn(receive_flows(far[i], i, 3000));
    group.spawn(send_flows(near[i], far, i, what));
  }
  co_await group.join();
}

}  // namespace

TEST_CASE("the order of each of many flows is kept") {
  in(every_way, [](world& w) { return many_flows(w, until::accepted); });
}
TEST_CASE("the order of each of many flows is kept when sends wait for acknowledgements") {
  in(every_way, [](world& w) { return many_flows(w, until::acknowledged); });
}
