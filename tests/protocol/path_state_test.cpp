// SPDX-License-Identifier: BSD-2-Clause
// What could go wrong: a drop that a teardown swallows, or a way into connecting past a teardown that is due; both leave a path wedged.
// How it is forced: the whole table of states and events, and all sequences of events up to a length.
#include "protocol/path_state.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <string>

using namespace rdsco::protocol;
using state = path_state;
using event = path_event;

namespace {

constexpr std::array all_states{state::down, state::connecting, state::disconnecting, state::up, state::resetting, state::error};
constexpr std::array all_events{event::connect, event::connect_failed, event::established, event::drop,
                                event::shutdown, event::torn_down,     event::replace};

// Compile-time use is part of the contract.
static_assert(next(state::down, event::connect) == state::connecting);
static_assert(next(state::error, event::connect) == std::nullopt);

}  // namespace

TEST_CASE("the whole table") {
  std::map<std::pair<state, event>, state> const legal{
      {{state::down, event::connect}, state::connecting},
      {{state::down, event::shutdown}, state::down},
      {{state::connecting, event::established}, state::up},
      {{state::connecting, event::connect_failed}, state::down},
      {{state::connecting, event::replace}, state::resetting},
      {{state::up, event::shutdown}, state::disconnecting},
      {{state::up, event::replace}, state::resetting},
      {{state::resetting, event::established}, state::up},
      {{state::resetting, event::shutdown}, state::disconnecting},
      {{state::error, event::shutdown}, state::disconnecting},
      {{state::error, event::torn_down}, state::error},
      {{state::disconnecting, event::shutdown}, state::disconnecting},
      {{state::disconnecting, event::torn_down}, state::down},
  };
  for (state const from : all_states) {
    for (event const what : all_events) {
      INFO(to_string(from) << " + " << to_string(what));
      auto const to = next(from, what);
      if (what == event::drop) {
        CHECK(to == state::error);
      } else if (auto const expected = legal.find({from, what}); expected != legal.end()) {
        CHECK(to == expected->second);
      } else {
        CHECK_FALSE(to);
      }
    }
  }
}

TEST_CASE("a path that lives") {
  path_state_machine path;
  CHECK(path.state() == state::down);
  CHECK(path.apply(event::connect));
  CHECK(path.apply(event::established));
  CHECK(path.state() == state::up);
  path.drop();
  CHECK(path.state() == state::error);
  CHECK(path.shutdown_due());
  CHECK(path.apply(event::shutdown));
  CHECK(path.teardown_under_way());
  CHECK(path.apply(event::torn_down));
  CHECK(path.state() == state::down);
  CHECK(path.drops() == 1);
  CHECK(path.drops_in_teardown() == 0);
  CHECK(path.resets() == 1);
}

TEST_CASE("a drop during a teardown is counted and brings another teardown") {
  path_state_machine path;
  REQUIRE(path.apply(event::connect));
  REQUIRE(path.apply(event::established));
  REQUIRE(path.apply(event::shutdown));
  path.drop();
  path.drop();
  CHECK(path.drops() == 2);
  CHECK(path.drops_in_teardown() == 2);
  CHECK(path.state() == state::error);
  CHECK_FALSE(path.shutdown_due());  // the first teardown must end first
  REQUIRE(path.apply(event::torn_down));
  CHECK(path.state() == state::error);
  CHECK(path.shutdown_due());
  CHECK(path.resets() == 0);
  REQUIRE(path.apply(event::shutdown));
  REQUIRE(path.apply(event::torn_down));
  CHECK(path.state() == state::down);
  CHECK(path.resets() == 1);
}

TEST_CASE("a shutdown is idempotent") {
  path_state_machine path;
  CHECK(path.apply(event::shutdown));
  CHECK(path.state() == state::down);
  CHECK_FALSE(path.teardown_under_way());
  REQUIRE(path.apply(event::connect));
  path.drop();
  CHECK(path.apply(event::shutdown));
  CHECK(path.apply(event::shutdown));
  CHECK(path.state() == state::disconnecting);
  path.drop();
  CHECK(path.apply(event::shutdown));  // one is under way: nothing starts inside it
  CHECK(path.state() == state::error);
  CHECK(path.apply(event::torn_down));
  CHECK_FALSE(path.apply(event::torn_down));
}

TEST_CASE("an event that cannot happen changes nothing") {
  path_state_machine path;
  for (event const what : {event::connect_failed, event::established, event::torn_down, event::replace}) {
    CHECK_FALSE(path.apply(what));
    CHECK(path.state() == state::down);
  }
}

namespace {

void explore(path_state_machine const& before, int depth, std::uint64_t drops, std::set<state>& reached) {
  reached.insert(before.state());
  // Whatever happened, tearing down until nothing is due leads back to down.
  path_state_machine path = before;
  for (int pass = 0; pass < 3 && path.state() != state::down; ++pass) {
    if (path.teardown_under_way()) {
      REQUIRE(path.apply(event::torn_down));
      continue;
    }
    path.drop();
    REQUIRE(path.shutdown_due());
    REQUIRE(path.apply(event::shutdown));
  }
  REQUIRE((path.state() == state::down || path.apply(event::torn_down)));
  REQUIRE(path.state() == state::down);
  if (depth == 0) return;
  for (event const what : all_events) {
    path_state_machine after = before;
    bool const teardown = before.teardown_under_way();
    bool const happened = after.apply(what);
    if (!happened) {
      REQUIRE(after.state() == before.state());
      continue;
    }
    REQUIRE(after.drops() == drops + (what == event::drop ? 1 : 0));
    // No way into a connection while a teardown is due or under way.
    if (after.state() == state::connecting) REQUIRE(before.state() == state::down);
    if (what == event::connect || what == event::established) REQUIRE_FALSE(teardown);
    explore(after, depth - 1, after.drops(), reached);
  }
}

}  // namespace

TEST_CASE("all sequences of seven events") {
  std::set<state> reached;
  explore(path_state_machine{}, 7, 0, reached);
  CHECK(reached.size() == path_states);
}

TEST_CASE("numbers and names are those that operators know") {
  CHECK(static_cast<int>(state::down) == 0);
  CHECK(static_cast<int>(state::connecting) == 1);
  CHECK(static_cast<int>(state::disconnecting) == 2);
  CHECK(static_cast<int>(state::up) == 3);
  CHECK(static_cast<int>(state::resetting) == 4);
  CHECK(static_cast<int>(state::error) == 5);
  std::set<std::string_view> names;
  for (state const s : all_states) names.insert(to_string(s));
  for (event const e : all_events) names.insert(to_string(e));
  CHECK(names.size() == path_states + path_events);
}

TEST_CASE("flags and letters of connection records") {
  auto const letters = [](state s, bool sending) {
    auto const text = info_letters(info_flags(s, sending));
    return std::string(text.begin(), text.end());
  };
  CHECK(letters(state::down, false) == "----");
  CHECK(letters(state::connecting, false) == "-c--");
  CHECK(letters(state::up, false) == "--C-");
  CHECK(letters(state::up, true) == "s-C-");
  CHECK(letters(state::error, false) == "---E");
  CHECK(letters(state::disconnecting, false) == "----");
  CHECK(info_flags(state::up, true) == 5);
}
