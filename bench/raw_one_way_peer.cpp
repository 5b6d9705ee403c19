// SPDX-License-Identifier: BSD-2-Clause
// One way over a TCP stream. The receiver holds the watch: what it has not got has not been sent.
#include "coalescer.hpp"
#include "partner.hpp"
#include "rate.hpp"
#include "raw_stream.hpp"
#include "usage.hpp"
#include "walker.hpp"

#include <liburing.h>

#include <cstdlib>
#include <system_error>
#include <vector>

namespace rdsco::bench {

namespace {

figures receive_by_recv(request const& asked, partner::announce const& ready) {
  descriptor const listener = listen_at(asked.server.address, asked.port);
  ready();
  descriptor const stream = accept_from(listener);
  std::vector<std::byte> bytes(256 * 1024);
  walker messages;
  rate measured(asked);
  for (std::size_t count; (count = receive_some(stream.number(), bytes)) != 0;) {
    messages.take({bytes.data(), count});
    measured.note(messages.messages);
  }
  return measured.result();
}

/// A ring with buffers from which the kernel takes one for each completion.
class multishot_receive {
 public:
  explicit multishot_receive(int stream) : stream_(stream), memory_(count * size) {
    io_uring_params wanted{};
    wanted.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    checked_ring(io_uring_queue_init_params(64, &ring_, &wanted), "io_uring_queue_init");
    buffers_ = static_cast<io_uring_buf_ring*>(std::aligned_alloc(4096, count * sizeof(io_uring_buf)));
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<std::uintptr_t>(buffers_);
    registration.ring_entries = count;
    checked_ring(io_uring_register_buf_ring(&ring_, &registration, 0), "io_uring_register_buf_ring");
    io_uring_buf_ring_init(buffers_);
    for (unsigned short id = 0; id < count; ++id) give_back(id);
  }
  multishot_receive(multishot_receive const&) = delete;
  multishot_receive& operator=(multishot_receive const&) = delete;
  ~multishot_receive() {
    io_uring_queue_exit(&ring_);
    std::free(buffers_);
  }

  /// Hands what arrives to `take` until the stream ends.
  template <class F>
  void run(F take) {
    for (bool armed = false;;) {
      if (!armed) arm();
      io_uring_cqe* first = nullptr;
      checked_ring(io_uring_submit_and_wait_timeout(&ring_, &first, 1, nullptr, nullptr), "io_uring_enter");
      armed = true;
      unsigned head = 0, seen = 0;
      bool ended = false;
      io_uring_cqe* each = nullptr;
      io_uring_for_each_cqe(&ring_, head, each) {
        ++seen;
        if ((each->flags & IORING_CQE_F_MORE) == 0) armed = false;
        if (each->res == -ENOBUFS) continue;
        if (each->res <= 0) {
          ended = true;
          continue;
        }
        auto const id = static_cast<unsigned short>(each->flags >> IORING_CQE_BUFFER_SHIFT);
        take(std::span<std::byte const>(memory_.data() + id * size, static_cast<std::size_t>(each->res)));
        give_back(id);
      }
      io_uring_cq_advance(&ring_, seen);
      if (ended) return;
    }
  }

 private:
  static constexpr unsigned short count = 16;
  static constexpr std::size_t size = 64 * 1024;

  static void checked_ring(int result, char const* what) {
    if (result < 0) throw std::system_error(-result, std::generic_category(), what);
  }
  void arm() {
    io_uring_sqe* const entry = io_uring_get_sqe(&ring_);
    io_uring_prep_recv_multishot(entry, stream_, nullptr, 0, 0);
    entry->flags |= IOSQE_BUFFER_SELECT;
    entry->buf_group = 0;
  }
  void give_back(unsigned short id) noexcept {
    io_uring_buf_ring_add(buffers_, memory_.data() + id * size, size, id, io_uring_buf_ring_mask(count), 0);
    io_uring_buf_ring_advance(buffers_, 1);
  }

  int stream_;
  std::vector<std::byte> memory_;
  io_uring ring_{};
  io_uring_buf_ring* buffers_ = nullptr;
};

figures receive_by_ring(request const& asked, partner::announce const& ready) {
  descriptor const listener = listen_at(asked.server.address, asked.port);
  ready();
  descriptor const stream = accept_from(listener);
  walker messages;
  rate measured(asked);
  multishot_receive(stream.number()).run([&](std::span<std::byte const> bytes) {
    messages.take(bytes);
    measured.note(messages.messages);
  });
  return measured.result();
}

figures receive_large(request const& asked, partner::announce const& ready) {
  descriptor const listener = listen_at(asked.server.address, asked.port);
  ready();
  descriptor const stream = accept_from(listener);
  std::vector<std::byte> bytes(asked.bytes);
  rate measured(asked);
  std::uint64_t received = 0;
  for (std::size_t count; (count = receive_some(stream.number(), bytes)) != 0;) {
    received += count;
    measured.note(received / asked.bytes);
  }
  return measured.result();
}

figures send_small(request const& asked, partner& receiver) {
  figures sender;
  usage used;
  {
    descriptor const stream = connect_to(asked.client.address, asked.server.address, asked.port);
    std::vector<std::byte> const payload(asked.bytes);
    coalescer out;
    used.start();
    for (std::uint64_t i = 0; i < asked.warmup + asked.count; ++i) {
      if (out.add(payload)) continue;
      send_all(stream.number(), out.bytes());
      out.clear();
      static_cast<void>(out.add(payload));
    }
    send_all(stream.number(), out.bytes());
    used.add_to(sender, "sender_", asked.warmup + asked.count);
  }
  figures found = receiver.join();
  found.merge(sender);
  return found;
}

}  // namespace

figures raw_one_way(request const& asked) {
  partner receiver(asked, [&](auto const& ready) { return receive_by_recv(asked, ready); });
  return send_small(asked, receiver);
}

figures uring_one_way(request const& asked) {
  partner receiver(asked, [&](auto const& ready) { return receive_by_ring(asked, ready); });
  return send_small(asked, receiver);
}

figures raw_bulk(request const& asked) {
  partner receiver(asked, [&](auto const& ready) { return receive_large(asked, ready); });
  figures sender;
  usage used;
  {
    descriptor const stream = connect_to(asked.client.address, asked.server.address, asked.port);
    std::vector<std::byte> const payload(asked.bytes, std::byte{1});
    used.start();
    for (std::uint64_t i = 0; i < asked.warmup + asked.count; ++i) send_all(stream.number(), payload);
    used.add_to(sender, "sender_", asked.warmup + asked.count);
  }
  figures found = receiver.join();
  found.merge(sender);
  found["bytes_per_second"] = found["per_second"] * static_cast<double>(asked.bytes);
  return found;
}

}  // namespace rdsco::bench
