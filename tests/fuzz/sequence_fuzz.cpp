// SPDX-License-Identifier: BSD-2-Clause
// What could go wrong: a hostile order of connections, generations and numbers that moves the expectation back or repeats a message.
// How it is forced: an input is such an order; the expectation may only move back with a restart, a new generation or a wrap.
#include <optional>

#include "fuzz/fuzz.hpp"
#include "protocol/sequence.hpp"

using namespace rdsco::protocol;
using rdsco::fuzz::require;

namespace {

constexpr std::uint64_t last_number = ~std::uint64_t{0};

struct history {
  receive_sequence numbers;
  std::optional<std::uint64_t> fresh_in_connection;  // the last number taken as new
  bool only_repeats = true;  // so far in this connection
  int generation_changes = 0;
};

void begin_connection(history& h) {
  h.numbers.begin_connection();
  require(!h.numbers.last_received());
  h.fresh_in_connection.reset();
  h.only_repeats = true;
  h.generation_changes = 0;
}

void show_generation(history& h, std::uint32_t generation) {
  std::uint64_t const before = h.numbers.expected();
  bool const changed = h.numbers.peer_generation(generation);
  h.generation_changes += changed ? 1 : 0;
  require(h.generation_changes <= 1 && !(changed && generation == 0));
  require(changed || h.numbers.expected() == before);
  require(!h.fresh_in_connection || h.numbers.expected() >= *h.fresh_in_connection + 1);
}

void admit(history& h, std::uint64_t number, bool flagged) {
  std::uint64_t const before = h.numbers.expected();
  auto const verdict = h.numbers.admit(number, flagged);
  require((verdict == sequence_verdict::fresh) == (number >= before));
  if (verdict == sequence_verdict::duplicate) {
    require(h.numbers.expected() == before && h.numbers.last_received() >= number);
  } else {
    require(h.numbers.expected() == number + 1 && h.numbers.last_received() == number);
    require(!h.fresh_in_connection || number > *h.fresh_in_connection || *h.fresh_in_connection == last_number);
    h.fresh_in_connection = number;
  }
  if (verdict == sequence_verdict::restarted) require(h.only_repeats && !flagged);
  h.only_repeats = h.only_repeats && flagged && verdict == sequence_verdict::duplicate;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  rdsco::fuzz::input in{data, size};
  history h;
  while (!in.empty()) {
    auto const what = in.number<std::uint8_t>();
    switch (what % 8) {
      case 0: begin_connection(h); break;
      case 1: show_generation(h, what / 8u); break;
      case 2: admit(h, in.number<std::uint64_t>(), (what & 0x80) != 0); break;
      case 3: admit(h, 1, (what & 0x80) != 0); break;
      case 4: admit(h, last_number, (what & 0x80) != 0); break;
      default: admit(h, h.numbers.expected() + (what >> 3 & 15) - 8, (what & 0x80) != 0); break;
    }
  }
  return 0;
}
