// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "support/nodes.hpp"
#include "support/scripted_peer.hpp"

#include <chrono>
#include <poll.h>
#include <span>
#include <vector>

namespace rdsco::test {

/// A node's loop and scripted peers, turned by one thread in turns: the loop is embedded, and the descriptors of all are waited
/// for together.
class rig {
 public:
  loop where;

  void add(scripted_peer& one) { peers_.push_back(&one); }
  void remove(scripted_peer& one) { std::erase(peers_, &one); }

  /// Turns everything until `done()`. False: it did not come about within the patience of the tests.
  template <class Done>
  [[nodiscard]] bool until(Done done) {
    auto const deadline = std::chrono::steady_clock::now() + patience;
    for (;;) {
      static_cast<void>(where.poll());
      for (scripted_peer* each : peers_) each->pump();
      if (done()) return true;
      if (std::chrono::steady_clock::now() >= deadline) return false;
      wait();
    }
  }
  /// The node closes while the peers go on.
  std::size_t close(node& closing) {
    std::size_t left = 0;
    bool closed = false;
    task_group group(where);
    group.spawn([&]() -> task<> {
      left = co_await closing.close();
      closed = true;
    });
    REQUIRE(until([&] { return closed; }));
    while (group.size() != 0) static_cast<void>(where.poll());
    return left;
  }

 private:
  void wait() {
    std::vector<pollfd> all{{where.wait_fd(), POLLIN, 0}};
    for (scripted_peer* each : peers_) {
      if (each->listener() != -1) all.push_back({each->listener(), POLLIN, 0});
      for (auto& stream : each->streams) {
        int const wanted = (stream->wants_to_read() ? POLLIN : 0) | (stream->wants_to_write() ? POLLOUT : 0);
        if (wanted != 0) all.push_back({stream->descriptor(), static_cast<short>(wanted), 0});
      }
    }
    ::poll(all.data(), all.size(), 1000);
  }

  std::vector<scripted_peer*> peers_;
};

/// Everything a socket holds, taken out.
inline void take_all(socket& from, std::vector<message>& into) {
  for (;;) {
    auto got = from.try_receive();
    if (got.ec) return;
    into.push_back(std::move(got.data));
  }
}

}  // namespace rdsco::test
