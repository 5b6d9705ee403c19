// SPDX-License-Identifier: BSD-2-Clause
// Could go wrong: a link reports something that cannot happen in the state its path is in, the state stays wrong, and tables and
// counters lie from then on.
// Forced by: a link that is connected without ever having begun to connect.

#include "node/actor.hpp"
#include "node/world.hpp"
#include "support/last_words.hpp"

namespace {

using namespace rdsco;
using namespace rdsco::test;

struct hasty_link {
  static constexpr bool probes = true;
  explicit hasty_link(loop& where) : signal_(where) {}
  task<bool> establish() { co_return std::exchange(first_, false); }
  bool receive() { return false; }
  bool transmit() { return false; }
  bool answers_expected() { return false; }
  detail::event_signal& signal() { return signal_; }
  void note(std::uint32_t) {}
  task<> tear_down() { co_return; }

 private:
  detail::event_signal signal_;
  bool first_ = true;
};

}  // namespace

TEST_CASE("an event that cannot happen in a path's state is caught") {
  std::string const text = last_words([] {
    world w(way::same_address);
    detail::node_core& core = w.near().core();
    detail::connection by(core, *core.host(at("127.0.0.1")), {at("127.0.0.1"), at("127.0.0.2")}, 1);
    hasty_link link(w.where);
    block_on(w.where, detail::run_path(by, link));
  });
  CHECK(text.find("cannot happen") != std::string::npos);
}
