// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "support/manual_clock.hpp"
#include "support/nodes.hpp"
#include "support/scripted_peer.hpp"

#include <chrono>
#include <poll.h>
#include <vector>

namespace rdsco::test {

enum class time_of { system, test };

/// A node's loop and scripted peers, turned by one thread in turns: the loop is embedded, and the descriptors of all are waited
/// for together. With time_of::test its clock goes to the next deadline once nothing else moves.
class rig {
 public:
  explicit rig(time_of which = time_of::system, detail::ready_policy* order = nullptr, detail::memory_source* memory = nullptr)
      : where(loop_options(), world(which, order, memory)), by_hand_(which == time_of::test) {}

  void add(scripted_peer& one) { peers_.push_back(&one); }
  void remove(scripted_peer& one) { std::erase(peers_, &one); }

  void turn() {
    idle_ = where.poll() == 0 ? idle_ + 1 : 0;
    for (scripted_peer* each : peers_) each->pump();
  }

  /// Turns everything until `done()`. False: it did not come about within the patience of the tests.
  template <class Done>
  [[nodiscard]] bool until(Done done) {
    auto const deadline = std::chrono::steady_clock::now() + patience;
    for (;;) {
      turn();
      if (done()) return true;
      if (std::chrono::steady_clock::now() >= deadline) return false;
      wait();
    }
  }

  /// The node closes while the peers go on.
  std::size_t close(node& closing) {
    std::size_t left = 0;
    task_group group(where);
    group.spawn(close_into(closing, left));
    REQUIRE(until([&] { return group.size() == 0; }));
    return left;
  }

  manual_clock clock;
  loop where;

 private:
  static task<> close_into(node& closing, std::size_t& left) { left = co_await closing.close(0ns); }

  detail::seams world(time_of which, detail::ready_policy* order, detail::memory_source* memory) {
    detail::seams made;
    made.policy = order;
    made.memory = memory;
    if (which == time_of::test) made.clock = &clock;
    return made;
  }

  void wait() {
    if (where.has_ready()) return;
    std::vector<pollfd> all{{where.wait_fd(), POLLIN, 0}};
    for (scripted_peer* each : peers_) {
      if (each->listener() != -1) all.push_back({each->listener(), POLLIN, 0});
      for (auto& stream : each->streams) {
        int const wanted = (stream->wants_to_read() ? POLLIN : 0) | (stream->wants_to_write() ? POLLOUT : 0);
        if (wanted != 0) all.push_back({stream->descriptor(), static_cast<short>(wanted), 0});
      }
    }
    ::poll(all.data(), all.size(), by_hand_ ? 2 : 1000);
    // The kernel's own time must not end a wait for the test's: what it has for us comes within a few looks.
    constexpr int looks = 3;
    if (!by_hand_ || idle_ < looks) return;
    idle_ = 0;
    if (auto const next = where.next_deadline()) clock.advance_to(*next);
  }

  bool by_hand_;
  int idle_ = 0;  // turns in which the node did nothing
  std::vector<scripted_peer*> peers_;
};

/// Takes out what a socket holds.
inline std::vector<message> take_all(socket& from) {
  std::vector<message> taken;
  for (;;) {
    auto got = from.try_receive();
    if (got.ec) return taken;
    taken.push_back(std::move(got.data));
  }
}

/// Counts datagrams that carry pattern(index) in order, and keeps nothing.
class in_order {
 public:
  explicit in_order(std::size_t bytes, std::size_t first = 0) : bytes_(bytes), count_(first) {}
  std::size_t take_from(socket& from) {
    for (;;) {
      auto const got = from.try_receive();
      if (got.ec) return count_;
      if (!matches(got.data, count_, bytes_)) ++wrong_;
      ++count_;
    }
  }
  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] std::size_t wrong() const { return wrong_; }

 private:
  std::size_t bytes_;
  std::size_t count_;
  std::size_t wrong_ = 0;
};

}  // namespace rdsco::test
