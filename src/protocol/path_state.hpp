// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace rdsco::protocol {

/// The life of a path, with the numbers that kernels use.
enum class path_state : std::uint8_t { down = 0, connecting = 1, disconnecting = 2, up = 3, resetting = 4, error = 5 };

enum class path_event : std::uint8_t {
  connect,         // an attempt of our own starts, or a peer's was accepted
  connect_failed,  // the attempt failed before anything had to be torn down
  established,     // the transport reports success, also after its socket was replaced
  drop,            // an error, an end of stream, a violation of the protocol, a decision to close
  shutdown,        // the teardown of the transport begins
  torn_down,       // the teardown is complete
  replace,         // the transport's socket is being replaced under a path that lives or is about to
};

inline constexpr std::size_t path_states = 6;
inline constexpr std::size_t path_events = 7;

namespace detail {

inline constexpr std::uint8_t no_state = 0xff;

constexpr std::uint8_t code(path_state state) noexcept { return static_cast<std::uint8_t>(state); }

// Rows in the order of path_state, columns in the order of path_event. There is no way from error to connecting: a shutdown that
// is due must run first, or it later tears down the wrong connection (CVE-2026-43226).
inline constexpr auto path_transitions = [] {
  constexpr std::uint8_t none = no_state;
  constexpr std::uint8_t down = code(path_state::down);
  constexpr std::uint8_t connecting = code(path_state::connecting);
  constexpr std::uint8_t disconnecting = code(path_state::disconnecting);
  constexpr std::uint8_t up = code(path_state::up);
  constexpr std::uint8_t resetting = code(path_state::resetting);
  constexpr std::uint8_t error = code(path_state::error);
  return std::array<std::array<std::uint8_t, path_events>, path_states>{{
      // connect, connect_failed, established, drop, shutdown, torn_down, replace
      {connecting, none, none, error, down, none, none},                   // down
      {none, down, up, error, none, none, resetting},                      // connecting
      {none, none, none, error, disconnecting, down, none},                // disconnecting
      {none, none, none, error, disconnecting, none, resetting},           // up
      {none, none, up, error, disconnecting, none, none},                  // resetting
      {none, none, none, error, disconnecting, error, none},               // error
  }};
}();

}  // namespace detail

/// The state after an event, or nothing where the event cannot happen. A shutdown where there is nothing to shut down, or where one
/// is under way, changes nothing; a drop is possible everywhere, and one during a teardown survives the end of that teardown.
constexpr std::optional<path_state> next(path_state state, path_event event) noexcept {
  std::uint8_t const to = detail::path_transitions[static_cast<std::size_t>(state)][static_cast<std::size_t>(event)];
  return to == detail::no_state ? std::nullopt : std::optional{static_cast<path_state>(to)};
}

/// The state of one path and how often it was dropped.
class path_state_machine {
 public:
  [[nodiscard]] path_state state() const noexcept { return state_; }

  /// Answers false, and changes nothing, if the event cannot happen in this state.
  [[nodiscard]] bool apply(path_event event) noexcept;

  /// As apply(path_event::drop), which is possible in every state.
  void drop() noexcept;

  /// Every drop ever; those that came while a teardown was under way are counted here and in drops_in_teardown().
  [[nodiscard]] std::uint64_t drops() const noexcept { return drops_; }
  [[nodiscard]] std::uint64_t drops_in_teardown() const noexcept { return drops_in_teardown_; }

  /// Teardowns that ended with the path down.
  [[nodiscard]] std::uint64_t resets() const noexcept { return resets_; }

  /// A teardown must begin: the path was dropped, perhaps while an earlier teardown was under way that has ended since.
  [[nodiscard]] bool shutdown_due() const noexcept { return state_ == path_state::error && !teardown_; }

  [[nodiscard]] bool teardown_under_way() const noexcept { return teardown_; }

 private:
  path_state state_ = path_state::down;
  bool teardown_ = false;
  std::uint64_t drops_ = 0;
  std::uint64_t drops_in_teardown_ = 0;
  std::uint64_t resets_ = 0;
};

[[nodiscard]] std::string_view to_string(path_state state) noexcept;
[[nodiscard]] std::string_view to_string(path_event event) noexcept;

/// Bits of the flags byte in an RDS connection record.
namespace info_flag {
inline constexpr std::uint8_t sending = 1;
inline constexpr std::uint8_t connecting = 2;
inline constexpr std::uint8_t connected = 4;
inline constexpr std::uint8_t error = 8;
}  // namespace info_flag

[[nodiscard]] std::uint8_t info_flags(path_state state, bool sending) noexcept;

/// The four letters that rds-info prints for these bits: `s` sending, `c` connecting, `C` connected, `E` error, `-` otherwise.
[[nodiscard]] std::array<char, 4> info_letters(std::uint8_t flags) noexcept;

}  // namespace rdsco::protocol
