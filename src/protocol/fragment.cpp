// SPDX-License-Identifier: BSD-2-Clause
#include "protocol/fragment.hpp"

#include "protocol/checksum.hpp"

namespace rdsco::protocol {

fragment_verdict fragment_assembly::admit(std::span<std::byte const> frame, std::uint32_t max_message) noexcept {
  if (frame.size() < header_bytes) {
    return fragment_verdict::too_short;
  }
  auto const head = frame.first<header_bytes>();
  if (!intact<checksum_rule::always>(head)) {
    return fragment_verdict::bad_checksum;
  }
  last_ = decode(head);
  std::size_t const payload = frame.size() - header_bytes;
  // Kernels look at the ports and at what the SEND really carries; an announced length would be a message cut off.
  if (last_.source_port == 0 && last_.destination_port == 0 && payload == 0 && last_.length == 0) {
    return fragment_verdict::ack_only;
  }
  if (in_progress_ && !continues_first()) {
    return fragment_verdict::mismatch;
  }
  if (!in_progress_) {
    if (!length_acceptable(last_, max_message)) {
      return fragment_verdict::too_long;
    }
    first_ = last_;
    received_ = 0;
  }
  if (payload != fragment_size(first_.length, received_)) {
    return fragment_verdict::wrong_size;
  }
  bool const begins = !in_progress_;
  offset_ = received_;
  received_ += static_cast<std::uint32_t>(payload);
  in_progress_ = received_ < first_.length;
  if (!in_progress_) {
    return fragment_verdict::complete;
  }
  return begins ? fragment_verdict::first_of_more : fragment_verdict::more;
}

bool fragment_assembly::continues_first() const noexcept {
  return last_.sequence == first_.sequence && last_.length == first_.length && last_.source_port == first_.source_port &&
         last_.destination_port == first_.destination_port;
}

std::string_view to_string(fragment_verdict verdict) noexcept {
  switch (verdict) {
    case fragment_verdict::first_of_more: return "first fragment";
    case fragment_verdict::more: return "fragment";
    case fragment_verdict::complete: return "complete message";
    case fragment_verdict::ack_only: return "acknowledgement";
    case fragment_verdict::too_short: return "frame shorter than a header";
    case fragment_verdict::bad_checksum: return "header checksum does not match";
    case fragment_verdict::too_long: return "announced message is longer than allowed";
    case fragment_verdict::mismatch: return "fragment belongs to another message";
    case fragment_verdict::wrong_size: return "fragment size does not match the announced length";
  }
  return "unknown";
}

}  // namespace rdsco::protocol
