// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <rdsco/buffer.hpp>
#include <rdsco/clock.hpp>
#include <rdsco/endpoint.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

namespace rdsco::detail {

/// A listening socket, a stream or an adopted descriptor. Opaque: only the backend that made it can read it.
struct io_handle {
  std::intptr_t value = -1;

  io_handle() noexcept = default;
  explicit io_handle(std::intptr_t number) noexcept : value(number) {}
  explicit operator bool() const noexcept { return value != -1; }
  friend bool operator==(io_handle, io_handle) noexcept = default;
};

/// Readiness of a handle; values are combined in io_operation::result.
enum class readiness : unsigned { readable = 1, writable = 2, error = 4 };
[[nodiscard]] constexpr readiness operator|(readiness a, readiness b) noexcept {
  return static_cast<readiness>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
[[nodiscard]] constexpr bool includes(readiness set, readiness one) noexcept {
  return (static_cast<unsigned>(set) & static_cast<unsigned>(one)) != 0;
}

/// One operation under way in a backend. `completed` is called exactly once for each start, from poll_completions() and
/// never from inside the call that started or cancelled it; it only takes notes and makes things ready.
/// Lifetime: from the start until `completed` is entered; the backend does not touch it afterwards.
struct io_operation {
  void (*completed)(io_operation&) noexcept = nullptr;
  std::int32_t result = 0;  ///< what the operation returned, or -errno
  bool in_flight = false;
  /// Whatever the backend needs to find its own records.
  struct backend_slot {
    std::uint32_t index = 0;
    std::uint32_t generation = 0;
  } slot;

  io_operation() noexcept = default;
  explicit io_operation(void (*function)(io_operation&) noexcept) noexcept : completed(function) {}
  io_operation(io_operation const&) = delete;
  io_operation& operator=(io_operation const&) = delete;
};

/// Takes one connection; `stream` is the receiver's to close.
struct accept_operation : io_operation {
  using io_operation::io_operation;
  io_handle stream;
  endpoint local, peer;
};

/// Completes with at least one byte, with 0 at the end of the stream, or with an error.
struct receive_operation : io_operation {
  using io_operation::io_operation;
  std::span<mutable_buffer const> into;  ///< empty: the backend lends bytes of its own
  const_buffer bytes;                    ///< what was lent; valid until release_received()
  std::uint32_t lent = 0;                ///< the backend's name for the lent bytes; 0: none
};

/// Completes when at least one byte was taken, or with an error.
struct send_operation : io_operation {
  using io_operation::io_operation;
  std::span<const_buffer const> from;
};

/// Readiness, again and again: `completed` is called for each event with `in_flight` set, until it was cancelled or failed;
/// then once more with `in_flight` clear. Each event asks for the handle to be drained until it would block.
struct watch_operation : io_operation {
  using io_operation::io_operation;
};

struct stream_tuning {
  bool no_delay = true;
  std::chrono::seconds keepalive_idle{5};  ///< 0: no keepalive
  std::chrono::seconds keepalive_interval{5};
  int keepalive_probes = 5;
  std::optional<int> send_buffer;
  std::optional<int> receive_buffer;

  stream_tuning() noexcept = default;
};

struct backend_counters {
  std::uint64_t system_calls = 0;   ///< all that the backend made
  std::uint64_t waits = 0;          ///< of these, those that were allowed to block
  std::uint64_t submissions = 0;
  std::uint64_t completions = 0;
  std::uint64_t overflows = 0;      ///< times the completion queue was found full
  std::uint64_t stale = 0;          ///< completions whose operation had ended already
  std::uint64_t starved = 0;        ///< receives that waited for a lent buffer to come back
  std::uint64_t deferred = 0;       ///< submissions and cancels that had to wait for room in the queue
  std::uint64_t wakes = 0;

  backend_counters() noexcept = default;
};

/// What a loop needs from the outside world. Everything is called on the loop thread, except wake().
/// Functions returning int or ptrdiff_t return -errno on failure.
class io_backend {
 public:
  virtual ~io_backend() = default;

  /// Listens on exactly that address (IPV6_V6ONLY, SO_REUSEADDR). Port 0 picks one; ends() tells.
  virtual int listen(endpoint const& local, int backlog, io_handle& out) noexcept = 0;
  virtual void accept(io_handle listener, stream_tuning const& tuning, accept_operation& operation) noexcept = 0;
  /// A stream bound to `local` with an ephemeral port, not connected yet.
  virtual int open_stream(address const& local, stream_tuning const& tuning, io_handle& out) noexcept = 0;
  virtual void connect(io_handle stream, endpoint const& peer, io_operation& operation) noexcept = 0;

  /// Of one call of try_send() or try_receive(); those beyond are not looked at.
  static constexpr std::size_t buffers_per_call = 256;

  /// Bytes taken, or -EAGAIN. May take less than was offered.
  virtual std::ptrdiff_t try_send(io_handle stream, std::span<const_buffer const> from) noexcept = 0;
  virtual void send(io_handle stream, send_operation& operation) noexcept = 0;
  /// Bytes received, 0 at the end of the stream, or -EAGAIN.
  virtual std::ptrdiff_t try_receive(io_handle stream, std::span<mutable_buffer const> into) noexcept = 0;
  virtual void receive(io_handle stream, receive_operation& operation) noexcept = 0;
  /// Gives lent bytes back; does nothing when none are lent. Receives that wait for memory go on.
  virtual void release_received(receive_operation& operation) noexcept = 0;

  virtual void wait_ready(io_handle handle, readiness what, io_operation& operation) noexcept = 0;
  virtual void watch(io_handle handle, readiness what, watch_operation& operation) noexcept = 0;

  /// Bytes received, and so acknowledged to the peer's TCP, that nobody has read.
  virtual std::size_t unread(io_handle stream) noexcept = 0;
  /// Bytes written that the peer's TCP has not acknowledged. Readable after a reset, until close().
  virtual std::optional<std::size_t> unacknowledged(io_handle stream) noexcept = 0;
  /// From here on acknowledgements of what is written are reported: readiness::error, then next_acknowledgement().
  virtual bool enable_acknowledgement_events(io_handle stream) noexcept = 0;
  /// How many bytes, counted from enable_acknowledgement_events(), the peer's TCP had acknowledged at the next event.
  virtual std::optional<std::uint64_t> next_acknowledgement(io_handle stream) noexcept = 0;

  virtual std::pair<endpoint, endpoint> ends(io_handle handle) noexcept = 0;  ///< local, peer
  virtual int shutdown_send(io_handle stream) noexcept = 0;
  /// Never blocks. The operations of the handle have ended before. With `reset` unsent bytes are thrown away and the peer
  /// sees a reset. An adopted descriptor is forgotten, not closed.
  virtual void close(io_handle handle, bool reset) noexcept = 0;
  /// A descriptor of somebody else, for wait_ready() and watch() only; an empty handle when this backend has no descriptors.
  virtual io_handle adopt(int descriptor) noexcept = 0;

  /// A request: the operation still completes by itself, with -ECANCELED or its result. Never dropped.
  /// Does nothing when the operation is not in flight.
  virtual void cancel(io_operation& operation) noexcept = 0;

  /// True when wait() has something to hand to the kernel.
  [[nodiscard]] virtual bool has_submissions() const noexcept = 0;
  /// Completes what has ended, without a system call where possible. True when something completed.
  virtual bool poll_completions() noexcept = 0;
  /// Submits, then waits until something can be completed; the one wait of a turn. Completes nothing: the loop reads its
  /// clock and then calls poll_completions(). nullopt: waits for ever. 0: submits only.
  virtual void wait(std::optional<duration> timeout) noexcept = 0;
  /// Ends a wait, this one or the next; makes wait_fd() readable. Any thread.
  virtual void wake() noexcept = 0;

  /// Embedding: a descriptor that becomes readable when something can be completed; -1 when the backend has none.
  virtual int wait_fd() noexcept = 0;
  /// The end of a poll(): wait_fd() is to become readable at `deadline` at the latest, and at once with `work_left`.
  /// `now` is the loop's idea of the time: the deadline is so far away.
  virtual void arm_wait_fd(std::optional<time_point> deadline, time_point now, bool work_left) noexcept = 0;

  /// Whether asking again and again can beat waiting; false where time is virtual.
  [[nodiscard]] virtual bool can_spin() const noexcept = 0;
  [[nodiscard]] virtual std::size_t operations_in_flight() const noexcept = 0;
  [[nodiscard]] virtual backend_counters const& counters() const noexcept = 0;
};

}  // namespace rdsco::detail
