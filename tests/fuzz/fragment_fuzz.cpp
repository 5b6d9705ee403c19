// SPDX-License-Identifier: BSD-2-Clause
// What could go wrong: a fragment placed outside its message, or a message called complete before all its bytes were there.
// How it is forced: an input is a sequence of frames, most of them with a right checksum; a buffer of the announced size is filled.
#include <algorithm>
#include <vector>

#include "fuzz/fuzz.hpp"
#include "protocol/checksum.hpp"
#include "protocol/fragment.hpp"

using namespace rdsco::protocol;
using rdsco::fuzz::require;

namespace {

constexpr std::uint32_t limit = 20000;

// Control byte, header and payload size come from the input; the payload itself is all one byte.
std::vector<std::byte> next_frame(rdsco::fuzz::input& in) {
  auto const control = in.number<std::uint8_t>();
  auto const payload = in.number<std::uint16_t>() % 4200u;
  auto const head = in.bytes(header_bytes);
  std::vector<std::byte> frame(head.begin(), head.end());
  if (frame.size() == header_bytes) {
    frame.resize(header_bytes + payload, std::byte{control});
    if (control % 8 != 0) seal<checksum_rule::always>(std::span{frame}.first<header_bytes>());
  }
  return frame;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  rdsco::fuzz::input in{data, size};
  fragment_assembly assembly;
  std::uint32_t received = 0;
  for (int step = 0; step < 64 && !in.empty(); ++step) {
    auto const frame = next_frame(in);
    bool const was_in_progress = assembly.in_progress();
    auto const verdict = assembly.admit(frame, limit);
    if (must_reset(verdict)) {
      assembly.reset();
      received = 0;
      require(!assembly.in_progress());
      continue;
    }
    require(frame.size() >= header_bytes);
    if (verdict == fragment_verdict::ack_only) {
      require(assembly.in_progress() == was_in_progress);
      continue;
    }
    require(was_in_progress != (verdict == fragment_verdict::first_of_more) || verdict == fragment_verdict::complete);
    require(assembly.first().length <= limit && assembly.offset() == received);
    received += static_cast<std::uint32_t>(frame.size() - header_bytes);
    require(received <= assembly.first().length);
    require((verdict == fragment_verdict::complete) == (received == assembly.first().length));
    require(assembly.in_progress() == (verdict != fragment_verdict::complete));
    if (verdict == fragment_verdict::complete) received = 0;
  }
  return 0;
}
