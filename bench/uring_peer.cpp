// SPDX-License-Identifier: BSD-2-Clause
// io_uring for both ways: one submission a send, one a receive.
#include "partner.hpp"
#include "raw_stream.hpp"
#include "stopwatch.hpp"
#include "usage.hpp"

#include <liburing.h>

#include <stdexcept>
#include <system_error>
#include <vector>

namespace rdsco::bench {

namespace {

class uring_stream {
 public:
  uring_stream(descriptor stream, request const& asked) : stream_(std::move(stream)), spin_(asked.wait == waiting::spin) {
    io_uring_params wanted{};
    wanted.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
    checked_ring(io_uring_queue_init_params(16, &ring_, &wanted));
  }
  uring_stream(uring_stream const&) = delete;
  uring_stream& operator=(uring_stream const&) = delete;
  ~uring_stream() { io_uring_queue_exit(&ring_); }

  /// Sends one and receives one, with a single call to the kernel where one is enough. Either may be absent.
  void exchange(std::span<std::byte const> out, std::span<std::byte> in) {
    unsigned pending = 0;
    if (!out.empty()) {
      io_uring_prep_send(entry(1), stream_.number(), out.data(), out.size(), MSG_NOSIGNAL | MSG_WAITALL);
      ++pending;
    }
    if (!in.empty()) {
      io_uring_prep_recv(entry(2), stream_.number(), in.data(), in.size(), MSG_WAITALL);
      ++pending;
    }
    while (pending != 0) {
      io_uring_cqe* const done = next();
      if (done->res <= 0) throw std::system_error(done->res == 0 ? ECONNRESET : -done->res, std::generic_category(), "io_uring stream");
      io_uring_cqe_seen(&ring_, done);
      --pending;
    }
  }

 private:
  static void checked_ring(int result) {
    if (result < 0) throw std::system_error(-result, std::generic_category(), "io_uring");
  }
  io_uring_sqe* entry(std::uint64_t data) {
    io_uring_sqe* const made = io_uring_get_sqe(&ring_);
    io_uring_sqe_set_data64(made, data);
    return made;
  }
  io_uring_cqe* next() {
    io_uring_cqe* done = nullptr;
    if (io_uring_sq_ready(&ring_) != 0) checked_ring(io_uring_submit(&ring_));
    if (!spin_) {
      checked_ring(io_uring_wait_cqe(&ring_, &done));
      return done;
    }
    // Memory is looked at, and the kernel is called only once it has said that it has something.
    while (io_uring_peek_cqe(&ring_, &done) != 0)
      if ((IO_URING_READ_ONCE(*ring_.sq.kflags) & IORING_SQ_TASKRUN) != 0) io_uring_get_events(&ring_);
    return done;
  }

  descriptor stream_;
  bool spin_;
  io_uring ring_{};
};

figures serve(request const& asked, partner::announce const& ready) {
  descriptor const listener = listen_at(asked.server.address, asked.port);
  ready();
  uring_stream stream(accept_from(listener), asked);
  std::vector<std::byte> message(header_bytes + asked.bytes), next(message.size());
  stream.exchange({}, message);
  for (std::uint64_t i = 1; i < asked.warmup + asked.count; ++i) {
    stream.exchange(message, next);
    std::swap(message, next);
  }
  stream.exchange(message, {});
  return {};
}

}  // namespace

figures uring_round_trip(request const& asked) {
  partner server(asked, [&](auto const& ready) { return serve(asked, ready); });
  uring_stream stream(connect_to(asked.client.address, asked.server.address, asked.port), asked);
  std::vector<std::byte> const question(header_bytes + asked.bytes);
  std::vector<std::byte> answer(question.size());
  laps taken(asked);
  usage used;
  used.start();
  for (std::uint64_t i = 0; i < asked.warmup + asked.count; ++i) {
    taken.begin();
    stream.exchange(question, answer);
    taken.end();
  }
  figures found;
  used.add_to(found, "", asked.warmup + asked.count);
  found.merge(taken.result());
  static_cast<void>(server.join());
  return found;
}

}  // namespace rdsco::bench
