// SPDX-License-Identifier: BSD-2-Clause
#include "protocol/path_state.hpp"

namespace rdsco::protocol {

bool path_state_machine::apply(path_event event) noexcept {
  auto const to = next(state_, event);
  // A second teardown may not start inside the first: its end would be taken for the end of both.
  if (!to || (event == path_event::torn_down && !teardown_)) {
    return false;
  }
  switch (event) {
    case path_event::drop:
      ++drops_;
      drops_in_teardown_ += teardown_ ? 1 : 0;
      break;
    case path_event::shutdown:
      if (teardown_) {
        return true;
      }
      teardown_ = *to == path_state::disconnecting;
      break;
    case path_event::torn_down:
      teardown_ = false;
      resets_ += *to == path_state::down ? 1 : 0;
      break;
    default: break;
  }
  state_ = *to;
  return true;
}

void path_state_machine::drop() noexcept { static_cast<void>(apply(path_event::drop)); }

std::string_view to_string(path_state state) noexcept {
  switch (state) {
    case path_state::down: return "down";
    case path_state::connecting: return "connecting";
    case path_state::disconnecting: return "disconnecting";
    case path_state::up: return "up";
    case path_state::resetting: return "resetting";
    case path_state::error: return "error";
  }
  return "unknown";
}

std::string_view to_string(path_event event) noexcept {
  switch (event) {
    case path_event::connect: return "connect";
    case path_event::connect_failed: return "connect failed";
    case path_event::established: return "established";
    case path_event::drop: return "drop";
    case path_event::shutdown: return "shutdown";
    case path_event::torn_down: return "torn down";
    case path_event::replace: return "replace";
  }
  return "unknown";
}

std::uint8_t info_flags(path_state state, bool sending) noexcept {
  std::uint8_t flags = sending ? info_flag::sending : std::uint8_t{0};
  if (state == path_state::connecting) {
    flags |= info_flag::connecting;
  } else if (state == path_state::up) {
    flags |= info_flag::connected;
  } else if (state == path_state::error) {
    flags |= info_flag::error;
  }
  return flags;
}

std::array<char, 4> info_letters(std::uint8_t flags) noexcept {
  auto const letter = [flags](std::uint8_t bit, char name) { return (flags & bit) != 0 ? name : '-'; };
  return {letter(info_flag::sending, 's'), letter(info_flag::connecting, 'c'), letter(info_flag::connected, 'C'),
          letter(info_flag::error, 'E')};
}

}  // namespace rdsco::protocol
