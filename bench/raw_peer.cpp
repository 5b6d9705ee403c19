// SPDX-License-Identifier: BSD-2-Clause
// The barest program: send() and recv(), and nothing else per message.
#include "partner.hpp"
#include "raw_stream.hpp"
#include "stopwatch.hpp"
#include "usage.hpp"

#include <vector>

namespace rdsco::bench {

namespace {

descriptor accepted(request const& asked, partner::announce const& ready) {
  descriptor const listener = listen_at(asked.server.address, asked.port);
  ready();
  descriptor stream = accept_from(listener);
  if (asked.wait == waiting::spin) set_nonblocking(stream);
  return stream;
}

descriptor connected(request const& asked) {
  descriptor stream = connect_to(asked.client.address, asked.server.address, asked.port);
  if (asked.wait == waiting::spin) set_nonblocking(stream);
  return stream;
}

figures echo_one_by_one(request const& asked, partner::announce const& ready) {
  descriptor const stream = accepted(asked, ready);
  std::vector<std::byte> message(header_bytes + asked.bytes);
  for (std::uint64_t i = 0; i < asked.warmup + asked.count; ++i) {
    receive_all(stream.number(), message);
    send_all(stream.number(), message);
  }
  return {};
}

// Answers all that has come in one send.
figures echo_what_is_there(request const& asked, partner::announce const& ready) {
  descriptor const stream = accepted(asked, ready);
  std::vector<std::byte> bytes(1 << 20);
  for (std::size_t count; (count = receive_some(stream.number(), bytes)) != 0;) send_all(stream.number(), {bytes.data(), count});
  return {};
}

// Keeps `outstanding` requests under way until `total` are answered: whatever was answered is asked anew, in one send.
void ask_many(int stream, std::uint64_t total, request const& asked, std::vector<std::byte>& bytes) {
  std::size_t const each = header_bytes + asked.bytes;
  std::uint64_t sent = std::min<std::uint64_t>(asked.outstanding, total), answered = 0;
  std::size_t part = 0;  // of an answer that has not come whole
  send_all(stream, {bytes.data(), sent * each});
  while (answered < total) {
    std::size_t const have = part + receive_some(stream, bytes);
    std::uint64_t const whole = have / each;
    part = have % each;
    answered += whole;
    std::uint64_t const next = std::min(whole, total - sent);
    if (next != 0) send_all(stream, {bytes.data(), next * each});
    sent += next;
  }
}

}  // namespace

figures raw_round_trip(request const& asked) {
  partner server(asked, [&](auto const& ready) { return echo_one_by_one(asked, ready); });
  descriptor const stream = connected(asked);
  std::vector<std::byte> message(header_bytes + asked.bytes);
  laps taken(asked);
  usage used;
  used.start();
  for (std::uint64_t i = 0; i < asked.warmup + asked.count; ++i) {
    taken.begin();
    send_all(stream.number(), message);
    receive_all(stream.number(), message);
    taken.end();
  }
  figures found;
  used.add_to(found, "", asked.warmup + asked.count);
  found.merge(taken.result());
  static_cast<void>(server.join());
  return found;
}

figures raw_pipelined(request const& asked) {
  partner server(asked, [&](auto const& ready) { return echo_what_is_there(asked, ready); });
  std::vector<std::byte> bytes(std::max<std::size_t>(1 << 20, (header_bytes + asked.bytes) * asked.outstanding));
  figures found;
  {
    descriptor const stream = connected(asked);
    ask_many(stream.number(), asked.warmup, asked, bytes);
    stopwatch timer;
    ask_many(stream.number(), asked.count, asked, bytes);
    found["per_second"] = static_cast<double>(asked.count) * 1e9 / timer.ns();
  }
  static_cast<void>(server.join());
  return found;
}

}  // namespace rdsco::bench
