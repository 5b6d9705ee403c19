// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "kernel/flow_check.hpp"

#include <array>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

/// Remote memory, one round after the other: the lender offers memory and says what is to be done with it, the borrower does it and says how
/// it went. Shared by the programs at both ends of the wire, which have the same byte order.
namespace rdsco::kernel_lab {

enum class remote_action : std::uint64_t { write, read, add, swap };

inline constexpr std::array<std::string_view, 4> action_names{"write", "read", "add", "swap"};
inline constexpr std::size_t atomic_bytes = 8;

/// What the lender wants: `withdrawn` and `refused` are to fail, the first because the offer is over before it is used.
struct remote_step {
  remote_action what = remote_action::write;
  bool withdrawn = false;
  bool refused = false;

  [[nodiscard]] bool permitted() const { return !withdrawn && !refused; }
  [[nodiscard]] bool atomic() const { return what == remote_action::add || what == remote_action::swap; }
};

/// "write", "withdrawn-read", "refused-add". Errors: std::invalid_argument.
[[nodiscard]] inline remote_step step_of(std::string_view text) {
  remote_step made;
  auto const prefixed = [&](std::string_view prefix) {
    auto const found = text.starts_with(prefix);
    text.remove_prefix(found ? prefix.size() : 0);
    return found;
  };
  made.withdrawn = prefixed("withdrawn-");
  made.refused = prefixed("refused-");
  auto const name = std::find(action_names.begin(), action_names.end(), text);
  if (name == action_names.end()) {
    throw std::invalid_argument("no operation on remote memory: " + std::string(text));
  }
  made.what = static_cast<remote_action>(name - action_names.begin());
  return made;
}

/// The datagrams of a round. `hello` comes before the first, and means nothing. `now` follows a `held` offer once that is over; `behind` ones follow an operation at once. `end` is answered
/// in kind.
enum class round_kind : std::uint64_t { hello, offer, held, now, done, failed, behind, end };

struct round_word {
  round_kind kind = round_kind::end;
  std::uint64_t round = 0;
  std::uint64_t attempt = 0;  // of a `behind` one: how many were before it
  remote_action what = remote_action::write;
  std::uint64_t bytes = 0;

  [[nodiscard]] std::array<std::byte, 40> packed() const {
    std::array<std::byte, 40> made;
    static_assert(sizeof *this == sizeof made);
    std::memcpy(made.data(), this, sizeof made);
    return made;
  }
  [[nodiscard]] static std::optional<round_word> of(std::span<std::byte const> datagram) {
    round_word made;
    if (datagram.size() != sizeof made) {
      return std::nullopt;
    }
    std::memcpy(&made, datagram.data(), sizeof made);
    return made;
  }
  [[nodiscard]] bool answers(round_word const& asked) const {
    return (kind == round_kind::done || kind == round_kind::failed) && round == asked.round && attempt == asked.attempt;
  }
};

/// Memory of one side, with bytes around it that nobody may touch; not at the beginning of a page, because no program's is.
class round_memory {
 public:
  explicit round_memory(std::size_t bytes) : whole_(page + before + bytes + after, untouched), bytes_(bytes) {
    start_ = (page - reinterpret_cast<std::uintptr_t>(whole_.data()) % page) % page + before;
  }

  /// The lent bytes, and all of it.
  [[nodiscard]] std::span<std::byte> lent() { return std::span(whole_).subspan(start_, bytes_); }
  [[nodiscard]] std::span<std::byte> all() { return std::span(whole_); }
  [[nodiscard]] std::size_t start() const { return start_; }

  void fill(bool lenders, std::uint64_t round) { content(lent(), lenders, round); }
  [[nodiscard]] bool holds(bool lenders, std::uint64_t round) {
    std::vector<std::byte> wanted(bytes_);
    content(wanted, lenders, round);
    return std::equal(wanted.begin(), wanted.end(), lent().begin());
  }
  /// Of eight bytes.
  [[nodiscard]] std::uint64_t number() {
    std::uint64_t made = 0;
    std::memcpy(&made, lent().data(), std::min(sizeof made, bytes_));
    return made;
  }
  [[nodiscard]] bool surroundings_untouched() const {
    auto const clean = [](std::byte one) { return one == untouched; };
    auto const begin = whole_.begin() + static_cast<std::ptrdiff_t>(start_);
    return std::all_of(whole_.begin(), begin, clean) && std::all_of(begin + static_cast<std::ptrdiff_t>(bytes_), whole_.end(), clean);
  }

  /// What the two sides put where, and what the atomic operations make of it.
  static constexpr std::uint64_t added = 0x100000001;
  [[nodiscard]] static std::uint64_t number_of(bool lenders, std::uint64_t round) {
    round_memory made(atomic_bytes);
    made.fill(lenders, round);
    return made.number();
  }

 private:
  static constexpr std::size_t page = 4096, before = 40, after = 64;
  static constexpr std::byte untouched{0xa5};

  // The borrower's bytes differ from the lender's in every single one.
  static void content(std::span<std::byte> into, bool lenders, std::uint64_t round) {
    fill_datagram(into, {1, round});
    if (!lenders) {
      std::transform(into.begin(), into.end(), into.begin(), [](std::byte one) { return ~one; });
    }
  }

  std::vector<std::byte> whole_;
  std::size_t bytes_;
  std::size_t start_ = 0;
};

/// What the memory of the lender is to be after an operation that was carried out.
[[nodiscard]] inline bool as_left_by(remote_action what, round_memory& memory, std::uint64_t round) {
  switch (what) {
    case remote_action::write: return memory.holds(false, round);
    case remote_action::read: return memory.holds(true, round);
    case remote_action::add: return memory.number() == round_memory::number_of(true, round) + round_memory::added;
    case remote_action::swap: return memory.number() == round_memory::number_of(false, round);
  }
  return false;
}

/// What either program reports.
struct round_account {
  std::uint64_t done = 0;
  std::uint64_t refused = 0;   // as they were meant to be
  std::uint64_t repeated = 0;  // for want of a connection
  std::uint64_t released = 0;  // use-once offers, by the datagram that followed the operation
  std::uint64_t behind = 0;
  std::uint64_t stale = 0;     // offers that were over when the borrower could not use them
  std::map<std::string, std::uint64_t> outcomes;  // of the borrower's operations
  std::vector<std::string> faults;

  void fault(std::string what, std::uint64_t round) { faults.push_back(std::move(what) + ", round " + std::to_string(round)); }
  /// How the lender's memory is left, and whether that is what the step wanted.
  void judge(round_word const& asked, remote_step const& step, round_memory& memory, round_kind answered) {
    auto const carried_out = answered == round_kind::done;
    ++(carried_out ? done : refused);
    if (carried_out != step.permitted()) {
      fault(carried_out ? "done, though not permitted" : "not done", asked.round);
    }
    if (!(carried_out ? as_left_by(asked.what, memory, asked.round) : memory.holds(true, asked.round))) {
      fault("wrong bytes", asked.round);
    }
    if (!memory.surroundings_untouched()) {
      fault("bytes beside were written", asked.round);
    }
  }
  /// Datagrams behind operations come once and in order, whatever became of those.
  void take_behind(std::uint64_t number) {
    if (number != behind++) {
      fault("a datagram behind was expected, not this", number);
    }
  }
};

/// What both programs are told.
struct round_options {
  std::vector<std::string> steps{"write", "read"};
  std::vector<std::size_t> sizes{4096};
  std::uint64_t count = 1;  // times
  bool use_once = false;
  std::uint64_t behind = 0;     // of the borrower: datagrams sent at once behind each operation
  std::uint64_t cut_every = 0;  // the connection is ended on purpose, under so many-th operation
  std::uint64_t progress_every = 0;  // of rdsco's borrower: it says how many operations are done
  bool ahead = false;  // of the kernel's lender: all memory is offered before the first of it is used

  [[nodiscard]] std::uint64_t rounds() const { return steps.size() * sizes.size() * count; }
  [[nodiscard]] remote_step step(std::uint64_t round) const { return step_of(steps[round % steps.size()]); }
  [[nodiscard]] std::size_t bytes(std::uint64_t round) const {
    return step(round).atomic() ? atomic_bytes : sizes[round / steps.size() % sizes.size()];
  }
  [[nodiscard]] bool cut(std::uint64_t round, std::uint64_t attempt) const {
    return cut_every != 0 && attempt == 0 && round % cut_every == cut_every - 1;
  }
};

}  // namespace rdsco::kernel_lab
